import type { Backend, BackendMemory, Operand } from './backends/backend.js';
import { bytesPerElement, hostArrayOf, type DType, type HostArray } from './dtype.js';
import { Capture } from './capture.js';
import { DeviceMismatchError, DisposedError, IIError, ShapeError } from './errors.js';
import type { Bound, Kernel, KernelParams, Signature } from './kernel.js';
import type { TuningTable } from './launches.js';
import { adopt, forget, keep, scope } from './scope.js';
import { NumericsCheck } from './numerics.js';
import { inFullPrecision, needsFullPrecision } from './precision.js';
import { checkShape, showShape, sizeOf, type Shape } from './shape.js';
import { Storage, Tensor } from './tensor.js';
import { traceEntry, type TraceEntry, type UntimedEntry } from './trace.js';
import { tuneLaunches, type TuneOptions } from './tune.js';

/** What {@link Device.memory} reports; bytes unless said otherwise. */
export interface DeviceMemory extends BackendMemory {
  /** Number of tensors that are not disposed of. */
  readonly tensors: number;
}

export interface TensorOptions {
  /** Default: the dtype of the array given; `f32` for plain numbers and `Float64Array`. */
  readonly dtype?: DType;
  /**
   * `device` (default) copies the data. `host` keeps the caller's array, which must not be changed afterwards, and
   * brings it in only while a kernel needs it: for weights.
   */
  readonly residence?: 'device' | 'host';
}

/**
 * A queue of kernels and the memory that they work on. Made by `createDevice`. Enqueueing never waits; reading a
 * tensor does.
 */
export class Device {
  readonly #backend: Backend;
  readonly #live = new Set<Tensor>();
  #trace: UntimedEntry[] | null = null;
  #numerics: NumericsCheck | null = null;
  #destroyed = false;

  /**
   * @param selection why this device was chosen, in words for a person.
   * @param deterministic whether equal work on equal data must give equal bits, also where a faster kernel would not.
   */
  constructor(
    backend: Backend,
    readonly selection: string,
    readonly deterministic: boolean = false,
  ) {
    this.#backend = backend;
  }

  /** `reference`, `wasm`, … */
  get name(): string {
    return this.#backend.name;
  }

  /**
   * A tensor with the given elements, row-major.
   *
   * @param shape default: one axis as long as `data`.
   * @throws ShapeError when the number of elements does not fit the shape.
   */
  tensor(data: HostArray | Float64Array | readonly number[], shape?: Shape, options: TensorOptions = {}): Tensor {
    const backend = this.#alive();
    const dims = shape ?? [data.length];
    checkShape(dims);
    if (sizeOf(dims) !== data.length) {
      throw new ShapeError(`tensor: shape ${showShape(dims)} needs ${sizeOf(dims)} elements, got ${data.length}`);
    }
    const dtype = options.dtype ?? dtypeOf(data);
    const array = data instanceof Float64Array ? data : toHostArray(data, dtype);
    const held = options.residence === 'host' && !(array instanceof Float64Array);
    const buffer = held ? backend.hold(dtype, array) : backend.upload(dtype, array);
    return new Tensor(new Storage(this, buffer, data.length * bytesPerElement(dtype)), dims, dtype);
  }

  /** A tensor with unspecified elements, for a kernel to write; operators make their results with it. */
  empty(shape: Shape, dtype: DType = 'f32'): Tensor {
    const backend = this.#alive();
    checkShape(shape);
    const length = sizeOf(shape);
    const buffer = backend.allocate(dtype, length, !needsFullPrecision());
    return new Tensor(new Storage(this, buffer, length * bytesPerElement(dtype)), shape, dtype);
  }

  /** Whether `kernel` has an implementation for this device; operators with a plain form take that where it has none. */
  supports(kernel: object): boolean {
    return this.name in kernel;
  }

  /**
   * The only way to run anything: puts a kernel on the queue. Shapes are the caller's business (operators check them
   * and make the outputs).
   *
   * @throws DisposedError when a tensor or the device was disposed of.
   * @throws UnsupportedKernelError when the kernel has no implementation for this device.
   */
  enqueue<I extends Signature<I>, O extends Signature<O>, P extends KernelParams>(
    kernel: Kernel<I, O, P>,
    call: { readonly inputs: Bound<I, Tensor>; readonly outputs: Bound<O, Tensor>; readonly params: P },
  ): void {
    const backend = this.#alive();
    try {
      const inputs = this.#operands(kernel.name, call.inputs);
      const outputs = this.#operands(kernel.name, call.outputs);
      this.#trace?.push(traceEntry(kernel, call));
      const run = (): void => backend.enqueue(kernel, inputs, outputs, call.params);
      if (this.#numerics) this.#numerics.around(kernel.name, call.inputs, call.outputs, run);
      else run();
    } catch (error) {
      // Nobody else holds the outputs of a kernel that never ran, but for those that it works on in place.
      const given = new Set(Object.values<Tensor | undefined>(call.inputs));
      for (const output of Object.values<Tensor>(call.outputs)) if (!given.has(output)) output.dispose();
      throw error;
    }
  }

  /**
   * Times every kernel that `body` enqueues. A device that has workers runs as ever; the times are those of its queue.
   *
   * @throws IIError when a trace of this device is already running.
   */
  async trace(body: () => unknown): Promise<TraceEntry[]> {
    const backend = this.#alive();
    if (this.#trace)
      throw new IIError('ERR_TRACE', 'trace: this device is being traced already; await that trace first');
    const entries: UntimedEntry[] = [];
    this.#trace = entries;
    backend.trace((call, time) => entries[call]?.steps.push(time));
    try {
      await body();
      await backend.finish();
    } finally {
      backend.trace(null);
      this.#trace = null;
    }
    return entries.map((entry) => ({
      ...entry,
      milliseconds: entry.steps.reduce((sum, { milliseconds }) => sum + milliseconds, 0),
    }));
  }

  /**
   * Runs `body` and looks at every f32 tensor that its kernels read and write: for finding out where a NaN comes from.
   * Costs a pass over each tensor.
   *
   * @returns what `body` returns.
   * @throws NumericsError with the first kernel whose input or output is not finite; IIError when a check is running.
   */
  async checkNumerics<T>(body: () => T | Promise<T>): Promise<T> {
    if (this.#numerics)
      throw new IIError(
        'ERR_NUMERICS_RUNNING',
        'checkNumerics: this device is being checked already; await that first',
      );
    const check = new NumericsCheck();
    this.#numerics = check;
    try {
      const value = await body();
      await check.verify();
      return value;
    } finally {
      this.#numerics = null;
      check.dispose();
    }
  }

  /**
   * Measures the launch parameters of the kernels that `body` enqueues (sizes of tiles and the like) on this device and uses
   * the fastest ones from then on; what was captured before stays as it is. The body runs some dozens of times, enqueues
   * the same work each time and disposes of what it makes. Other work meanwhile disturbs the measurement.
   *
   * @returns all that was chosen for this device so far, to be kept and given to `createDevice`; `{}` on a device that has
   *   nothing to choose.
   * @throws the signal's reason when it is aborted; nothing is changed then.
   */
  async tune(body: () => unknown, options: TuneOptions = {}): Promise<TuningTable> {
    const { launches } = this.#alive();
    return launches ? tuneLaunches(() => this.trace(body), launches, options) : {};
  }

  /**
   * Records what `body` enqueues for inputs like `examples`, without running it. The body must enqueue the same work each
   * time and read no tensor; what modules derive from their parameters and keep must be there before (`Module.derive`).
   *
   * @throws IIError when the body keeps tensors that it does not return.
   */
  capture(body: (...inputs: Tensor[]) => readonly Tensor[], ...examples: Tensor[]): Capture {
    const backend = this.#alive();
    const inputs = inFullPrecision(() => examples.map(({ shape, dtype }) => keep(this.empty(shape, dtype))));
    const run = (...given: Tensor[]): readonly Tensor[] => scope(() => body(...given)).map(keep);
    if (!backend.record) return new Capture(inputs, run, [], null);
    try {
      const buffersOf = (tensors: readonly Tensor[]) => tensors.map((tensor) => tensor.storage.buffer);
      const { value, recording } = backend.record(() => run(...inputs), buffersOf);
      return new Capture(inputs, run, value, recording);
    } catch (error) {
      for (const input of inputs) input.dispose();
      throw error;
    }
  }

  /** Resolves when everything enqueued so far is done; rejects with the first error since the last call. */
  async finish(): Promise<void> {
    await this.#alive().finish();
  }

  memory(): DeviceMemory {
    return { tensors: this.#live.size, ...this.#backend.memory() };
  }

  /** Stops the workers and gives all memory back; tensors of the device become unusable. Harmless when repeated. */
  dispose(): void {
    if (this.#destroyed) return;
    for (const tensor of this.#live) tensor.dispose();
    this.#destroyed = true;
    this.#backend.destroy();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Called by {@link Tensor}. */
  track(tensor: Tensor): void {
    this.#live.add(tensor);
    adopt(tensor);
  }

  /** Called by {@link Tensor}. */
  untrack(tensor: Tensor): void {
    this.#live.delete(tensor);
    forget(tensor);
  }

  /** Called by {@link Storage} when its last owner is gone. */
  release(storage: Storage): void {
    if (!this.#destroyed) this.#backend.release(storage.buffer);
  }

  /** Called by {@link Tensor}: the elements as the backend holds them. */
  async read(storage: Storage): Promise<HostArray | Float64Array> {
    return this.#alive().read(storage.buffer);
  }

  #alive(): Backend {
    if (this.#destroyed)
      throw new DisposedError(`the ${this.name} device was disposed of; make a new one with createDevice`);
    return this.#backend;
  }

  #operands<S>(kernel: string, tensors: Bound<S, Tensor>): Bound<S, Operand> {
    const operands: Partial<Record<keyof S, Operand>> = {};
    for (const key in tensors) {
      const tensor = tensors[key];
      if (!tensor) continue;
      if (tensor.device !== this) {
        throw new DeviceMismatchError(
          `kernel '${kernel}': tensor '${key}' is on another device (${tensor.device.name}); all tensors must be on this ${this.name} device`,
        );
      }
      operands[key] = { shape: tensor.shape, dtype: tensor.dtype, buffer: tensor.storage.buffer };
    }
    return operands as Bound<S, Operand>;
  }
}

function dtypeOf(data: HostArray | Float64Array | readonly number[]): DType {
  if (data instanceof Uint8Array) return 'u8';
  if (data instanceof Int32Array) return 'i32';
  if (data instanceof Uint16Array) return 'f16';
  return 'f32';
}

function toHostArray(data: HostArray | readonly number[], dtype: DType): HostArray {
  if (!Array.isArray(data) && dtypeOf(data as HostArray) === dtype) return data as HostArray;
  return hostArrayOf(dtype, data);
}
