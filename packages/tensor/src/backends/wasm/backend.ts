import { bytesPerElement, hostArray, hostArrayOf, type DType, type HostArray } from '../../dtype.js';
import { DisposedError, IIError, UnsupportedKernelError } from '../../errors.js';
import type { Bound, Kernel, KernelParams, Signature } from '../../kernel.js';
import type { Backend, BackendBuffer, BackendMemory, BackendRecording, Operand, StepReport } from '../backend.js';
import { mapOperands } from '../operands.js';
import type { Block } from './address-space.js';
import { WasmBuffer, type BoundOperand } from './buffer.js';
import { fastestBuild, libraryBytes, tileOf } from './build.js';
import { experimentalSimd } from './experimental-simd.js';
import { Heap } from './heap.js';
import { WasmMemory } from './memory.js';
import {
  maxArguments,
  type WasmArgument,
  type WasmBuild,
  type WasmFloat,
  type WasmLibrary,
  type WasmMachine,
  type WasmPrepared,
  type WasmScratch,
  type WasmStep,
} from './program.js';
import { InlineQueue } from './inline-queue.js';
import type { CommandQueue } from './queue.js';
import { WorkerQueue } from './worker-queue.js';
import { Recording, isPlanned } from './recording.js';

/** What a program holds while it is enqueued. */
interface ProgramMemory {
  /** Where a prepared form goes while it is filled. */
  readonly target: Block | null;
  readonly scratch: Map<WasmScratch, Block>;
  /** Prepared forms that are not kept. */
  readonly transient: { readonly of: WasmBuffer; readonly key: string; readonly block: Block }[];
}

export interface WasmOptions {
  /** Worker threads; 0 runs kernels on the calling thread. */
  readonly threads: number;
  /** Bytes of prepared weights to keep; those beyond are prepared each time they are used. */
  readonly weightBudget: number;
  /** See `DeviceOptions.experimentalSimd`. */
  readonly experimentalSimd?: boolean | undefined;
  /** Default: the fastest that this engine runs. */
  readonly build?: WasmBuild;
}

const buildNames: Record<WasmBuild, string> = {
  plain: 'SIMD without fused multiply-add (the engine has no relaxed SIMD)',
  relaxed: 'relaxed SIMD',
  tall: 'relaxed SIMD, tiles of 6×8',
  wide: 'relaxed SIMD in vectors of 256 bits',
};

/** The CPU device: SIMD kernels over one WebAssembly memory, run by worker threads. */
export class WasmBackend implements Backend {
  readonly name = 'wasm';
  readonly machine: WasmMachine;
  readonly #memory: WasmMemory;
  readonly #queue: CommandQueue;
  readonly #functions = new Map<WasmLibrary, ReadonlyMap<string, number>>();
  readonly #words = new Int32Array(maxArguments);
  readonly #floats = new Float32Array(this.#words.buffer);
  /** While tracing: the step of each command that is to be timed. */
  #traced: Map<number, { readonly call: number; readonly step: string }> | null = null;
  #calls = 0;

  private constructor(
    heap: Heap,
    queue: CommandQueue,
    weightBudget: number,
    private readonly build: WasmBuild,
  ) {
    this.#memory = new WasmMemory(heap, queue, weightBudget);
    this.#queue = queue;
    this.machine = { threads: queue.threads, ...tileOf(build) };
  }

  /** Starts the device; `reason` says how it runs and why, for a person. */
  static async start(options: WasmOptions): Promise<{ backend: WasmBackend; reason: string }> {
    const { threads, weightBudget } = options;
    const wide = experimentalSimd(options.experimentalSimd);
    const build = options.build ?? fastestBuild(wide.on);
    const heap = new Heap();
    const simd = buildNames[build] + (wide.why && ` (${wide.why})`);
    const inline = (why: string): { backend: WasmBackend; reason: string } => ({
      backend: new WasmBackend(heap, new InlineQueue(heap), weightBudget, build),
      reason: `the calling thread, ${simd}; ${why}`,
    });
    if (threads === 0) return inline('no workers were asked for');
    if (!heap.shared || typeof SharedArrayBuffer === 'undefined') {
      return inline('shared memory is not available (a page needs cross-origin isolation for it)');
    }
    try {
      const backend = new WasmBackend(heap, await WorkerQueue.start(heap, threads), weightBudget, build);
      return { backend, reason: `${threads} worker ${threads === 1 ? 'thread' : 'threads'}, ${simd}` };
    } catch (error) {
      return inline(`workers could not be started (${error instanceof Error ? error.message : String(error)})`);
    }
  }

  allocate(dtype: DType, length: number): WasmBuffer {
    const buffer = new WasmBuffer(dtype, length);
    buffer.block = this.#memory.take(length * bytesPerElement(dtype));
    return buffer;
  }

  upload(dtype: DType, data: HostArray | Float64Array): WasmBuffer {
    const buffer = new WasmBuffer(dtype, data.length);
    buffer.block = this.#memory.place(data instanceof Float64Array ? hostArrayOf(dtype, data) : data);
    return buffer;
  }

  hold(dtype: DType, data: HostArray): WasmBuffer {
    const buffer = new WasmBuffer(dtype, data.length);
    buffer.host = data;
    return buffer;
  }

  release(buffer: BackendBuffer): void {
    this.#memory.release(this.#own(buffer));
  }

  async read(buffer: BackendBuffer): Promise<HostArray> {
    const own = this.#own(buffer);
    if (this.#memory.recording) {
      throw new IIError('ERR_CAPTURE', 'capture: a tensor was read in the body; read the results of run() instead');
    }
    if (own.host) return own.host.slice();
    await this.#queue.fence();
    const out = hostArray(own.dtype, own.length);
    const { address } = this.#memory.resident(own);
    new Uint8Array(out.buffer).set(this.#memory.heap.bytes.subarray(address, address + out.byteLength));
    return out;
  }

  enqueue<I extends Signature<I>, O extends Signature<O>, P extends KernelParams>(
    kernel: Kernel<I, O, P>,
    inputs: Bound<I, Operand>,
    outputs: Bound<O, Operand>,
    params: P,
  ): void {
    if (!kernel.wasm) throw new UnsupportedKernelError(kernel.name, this.name);
    const { library, program } = kernel.wasm;
    const boundOutputs = this.#bind(outputs);
    for (const key in boundOutputs) {
      const { buffer } = boundOutputs[key] as BoundOperand;
      this.#memory.dropPrepared(buffer);
      this.#memory.resident(buffer);
    }
    try {
      this.#run(kernel.name, library, program(this.#bind(inputs), boundOutputs, params, this.machine), null);
    } finally {
      this.#memory.unpin();
    }
    this.#calls++;
  }

  record<T>(body: () => T, results: (value: T) => readonly BackendBuffer[]): { value: T; recording: BackendRecording } {
    if (this.#memory.recording) throw new IIError('ERR_CAPTURE', 'capture: captures do not nest');
    const recording = new Recording(this.#memory.heap, this.#queue);
    this.#memory.recording = recording;
    let value: T;
    let kept: WasmBuffer[];
    try {
      value = body();
      kept = results(value).map((buffer) => this.#own(buffer));
    } catch (error) {
      recording.dispose();
      throw error;
    } finally {
      this.#memory.recording = null;
    }
    recording.finish(kept.flatMap(({ block }) => (block && isPlanned(block) ? [block] : [])));
    for (const buffer of kept) {
      if (!buffer.block || !isPlanned(buffer.block)) continue;
      buffer.block = recording.locate(buffer.block);
      buffer.borrowed = true;
    }
    return { value, recording };
  }

  trace(report: StepReport | null): void {
    const traced = report && new Map<number, { readonly call: number; readonly step: string }>();
    this.#traced = traced;
    this.#calls = 0;
    const tell = (sequence: number, milliseconds: number): void => {
      const entry = traced?.get(sequence);
      if (entry) report?.(entry.call, { step: entry.step, milliseconds });
    };
    this.#queue.trace(report && tell);
  }

  async finish(): Promise<void> {
    await this.#queue.fence();
  }

  memory(): BackendMemory {
    const { used, reserved } = this.#memory.heap;
    return { used, reserved };
  }

  destroy(): void {
    this.#queue.destroy();
  }

  #run(kernel: string, library: WasmLibrary, steps: readonly WasmStep[], target: Block | null): void {
    const functions = this.#load(library);
    const own: ProgramMemory = { target, scratch: new Map(), transient: [] };
    const lastUse = new Map<WasmScratch, WasmStep>();
    for (const step of steps) {
      for (const arg of step.args) if (typeof arg === 'object' && arg.kind === 'scratch') lastUse.set(arg, step);
    }
    try {
      for (const step of steps) {
        const { fn, args, chunks } = step;
        const index = functions.get(fn);
        if (index === undefined || args.length > maxArguments || !(chunks >= 1)) {
          throw new IIError(
            'ERR_KERNEL_PROGRAM',
            `kernel '${kernel}' describes a step that cannot run: function '${fn}' of ${library.name} with ${args.length} arguments (at most ${maxArguments}) in ${chunks} chunks`,
          );
        }
        // Preparing an operand enqueues commands of its own, which use the same words: it comes first.
        for (const arg of args) {
          if (typeof arg === 'object' && arg.kind === 'prepared') this.#prepare(kernel, library, arg, own);
        }
        const planned = args.flatMap((arg, i) => (this.#encode(arg, i, own) ? [i] : []));
        if (this.#memory.recording) {
          this.#memory.recording.note(index, this.#words, args.length, chunks, planned);
        } else {
          this.#traced?.set(this.#queue.issued, { call: this.#calls, step: fn });
          this.#queue.run(index, this.#words, args.length, chunks);
        }
        for (const [scratch, block] of own.scratch) {
          if (lastUse.get(scratch) !== step) continue;
          this.#memory.give(block);
          own.scratch.delete(scratch);
        }
      }
    } finally {
      for (const block of own.scratch.values()) this.#memory.give(block);
      for (const { block } of own.transient) this.#memory.give(block);
    }
  }

  /** Writes the word of an argument; true where it is an address in the memory of a recording. */
  #encode(arg: WasmArgument, i: number, own: ProgramMemory): boolean {
    if (typeof arg === 'number') this.#words[i] = arg;
    else if (arg.kind === 'f32') this.#floats[i] = arg.value;
    else {
      const block = this.#locate(arg, own);
      this.#words[i] = block.address;
      return isPlanned(block);
    }
    return false;
  }

  #locate(arg: Exclude<WasmArgument, number | WasmFloat>, { target, scratch, transient }: ProgramMemory): Block {
    if (arg.kind === 'target') return target!;
    if (arg.kind === 'scratch') {
      const block = scratch.get(arg) ?? this.#memory.take(arg.bytes);
      scratch.set(arg, block);
      return block;
    }
    const { buffer } = (arg.kind === 'prepared' ? arg.of : arg) as BoundOperand;
    this.#memory.recording?.listedIn(buffer.readers);
    if (arg.kind === 'operand') return this.#memory.resident(buffer);
    return transient.find(({ of, key }) => of === buffer && key === arg.key)?.block ?? buffer.prepared.get(arg.key)!;
  }

  /** Makes the prepared form of an operand, unless it is there; beyond the budget it lives for one program. */
  #prepare(kernel: string, library: WasmLibrary, prepared: WasmPrepared, { transient }: ProgramMemory): void {
    const memory = this.#memory;
    const { buffer } = prepared.of as BoundOperand;
    const { key, bytes } = prepared;
    memory.pin(buffer);
    if (buffer.prepared.has(key) || transient.some((form) => form.of === buffer && form.key === key)) return;
    const fill = (block: Block): void =>
      memory.visit(buffer, () => this.#run(kernel, library, prepared.fill({ kind: 'target' }), block));

    const { recording } = memory;
    const planned = buffer.block !== null && isPlanned(buffer.block);
    if (recording && !planned && !memory.affords(bytes)) {
      throw new IIError(
        'ERR_CAPTURE',
        'capture: the weights are beyond the budget of the device and change places; run without capture',
      );
    }
    if (planned || !memory.affords(bytes)) {
      const block = memory.take(bytes);
      transient.push({ of: buffer, key, block });
      fill(block);
      return;
    }
    // The form of a weight stays: it is made now, also while commands are only noted.
    memory.recording = null;
    try {
      const block = memory.allocate(bytes, false);
      fill(block);
      memory.keepPrepared(buffer, key, block);
    } finally {
      memory.recording = recording;
    }
  }

  #load(library: WasmLibrary): ReadonlyMap<string, number> {
    let functions = this.#functions.get(library);
    if (!functions) {
      functions = this.#queue.load(libraryBytes(library, this.build, this.#memory.heap.shared));
      this.#functions.set(library, functions);
    }
    return functions;
  }

  #own(buffer: BackendBuffer): WasmBuffer {
    if (buffer instanceof WasmBuffer) return buffer;
    throw new DisposedError(`buffer of backend '${buffer.backend}' was handed to the wasm backend`);
  }

  #bind<S>(operands: Bound<S, Operand>): Bound<S, BoundOperand> {
    return mapOperands(operands, ({ shape, dtype, buffer }) => ({
      kind: 'operand',
      ...{ shape, dtype, buffer: this.#own(buffer) },
    }));
  }
}
