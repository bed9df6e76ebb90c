import { bytesPerElement, hostArray, type DType, type HostArray } from '../../dtype.js';
import { DisposedError, IIError, OutOfMemoryError, UnsupportedKernelError } from '../../errors.js';
import { floatToHalf } from '../../half.js';
import type { Bound, Kernel, KernelParams, Signature } from '../../kernel.js';
import type { Backend, BackendBuffer, BackendMemory, BackendRecording, Operand, StepReport } from '../backend.js';
import { hasRelaxedSimd, libraryBytes } from './build.js';
import type { Block } from './address-space.js';
import { Heap } from './heap.js';
import {
  maxArguments,
  type WasmArgument,
  type WasmFloat,
  type WasmLibrary,
  type WasmMachine,
  type WasmOperand,
  type WasmPrepared,
  type WasmScratch,
  type WasmStep,
} from './program.js';
import { InlineQueue, WorkerQueue, type CommandQueue } from './queue.js';
import { Recording, isPlanned } from './recording.js';

class WasmBuffer implements BackendBuffer {
  readonly backend = 'wasm';
  /** Where the elements are in the WebAssembly memory; null while they are only on the host. */
  block: Block | null = null;
  /** Elements kept on the host until a kernel reads them as they are. */
  host: HostArray | null = null;
  readonly prepared = new Map<string, Block>();
  /** Recordings that read this memory or a prepared form of it. */
  readonly readers = new Set<Recording>();
  /** Whether the memory is a recording's: it goes with the recording. */
  borrowed = false;

  constructor(
    readonly dtype: DType,
    readonly length: number,
  ) {}
}

/** What a program holds while it is enqueued. */
interface ProgramMemory {
  /** Where a prepared form goes while it is filled. */
  readonly target: Block | null;
  readonly scratch: Map<WasmScratch, Block>;
  /** Prepared forms that are not kept. */
  readonly transient: { readonly of: WasmBuffer; readonly key: string; readonly block: Block }[];
}

interface BoundOperand extends WasmOperand {
  readonly buffer: WasmBuffer;
}

export interface WasmOptions {
  /** Worker threads; 0 runs kernels on the calling thread. */
  readonly threads: number;
  /** Bytes of prepared weights to keep; those beyond are prepared each time they are used. */
  readonly weightBudget: number;
}

/** Bytes of weights on their way from the host to their prepared form: enough to keep the workers busy. */
const STAGING = 64 << 20;

/** The CPU device: SIMD kernels over one WebAssembly memory, run by worker threads. */
export class WasmBackend implements Backend {
  readonly name = 'wasm';
  readonly machine: WasmMachine;
  readonly #heap: Heap;
  readonly #queue: CommandQueue;
  readonly #functions = new Map<WasmLibrary, ReadonlyMap<string, number>>();
  readonly #words = new Int32Array(maxArguments);
  readonly #floats = new Float32Array(this.#words.buffer);
  /** While tracing: the step of each command that is to be timed. */
  #traced: Map<number, { readonly call: number; readonly step: string }> | null = null;
  #calls = 0;
  #recording: Recording | null = null;
  readonly #weightBudget: number;
  #preparedBytes = 0;
  readonly #withPrepared = new Set<WasmBuffer>();
  /** Buffers whose prepared forms the program that is being enqueued uses. */
  readonly #pinned = new Set<WasmBuffer>();
  /** Weights that were brought in to be prepared, and the command after which their memory is free again. */
  #staged: { readonly bytes: number; readonly until: number }[] = [];

  private constructor(heap: Heap, queue: CommandQueue, weightBudget: number) {
    this.#heap = heap;
    this.#queue = queue;
    this.#weightBudget = weightBudget;
    this.machine = { threads: queue.threads, relaxed: hasRelaxedSimd() };
  }

  /** Starts the device; `reason` says how it runs and why, for a person. */
  static async start({ threads, weightBudget }: WasmOptions): Promise<{ backend: WasmBackend; reason: string }> {
    const heap = new Heap();
    const simd = hasRelaxedSimd() ? 'relaxed SIMD' : 'SIMD without fused multiply-add (the engine has no relaxed SIMD)';
    const inline = (why: string): { backend: WasmBackend; reason: string } => ({
      backend: new WasmBackend(heap, new InlineQueue(heap), weightBudget),
      reason: `the calling thread, ${simd}; ${why}`,
    });
    if (threads === 0) return inline('no workers were asked for');
    if (!heap.shared || typeof SharedArrayBuffer === 'undefined') {
      return inline('shared memory is not available (a page needs cross-origin isolation for it)');
    }
    try {
      const backend = new WasmBackend(heap, await WorkerQueue.start(heap, threads), weightBudget);
      return { backend, reason: `${threads} worker ${threads === 1 ? 'thread' : 'threads'}, ${simd}` };
    } catch (error) {
      return inline(`workers could not be started (${error instanceof Error ? error.message : String(error)})`);
    }
  }

  allocate(dtype: DType, length: number): WasmBuffer {
    const buffer = new WasmBuffer(dtype, length);
    buffer.block = this.#take(length * bytesPerElement(dtype));
    return buffer;
  }

  upload(dtype: DType, data: HostArray | Float64Array): WasmBuffer {
    const buffer = new WasmBuffer(dtype, data.length);
    buffer.block = this.#place(toElements(dtype, data));
    return buffer;
  }

  hold(dtype: DType, data: HostArray): WasmBuffer {
    const buffer = new WasmBuffer(dtype, data.length);
    buffer.host = data;
    return buffer;
  }

  release(buffer: BackendBuffer): void {
    const own = this.#own(buffer);
    this.#dropPrepared(own);
    this.#invalidateReaders(own);
    if (own.block && !own.borrowed) this.#give(own.block);
    own.block = null;
    own.host = null;
  }

  async read(buffer: BackendBuffer): Promise<HostArray> {
    const own = this.#own(buffer);
    if (this.#recording)
      throw new IIError('ERR_CAPTURE', 'capture: a tensor was read in the body; read the results of run() instead');
    if (own.host) return own.host.slice();
    await this.#queue.fence();
    const out = hostArray(own.dtype, own.length);
    const { address } = this.#resident(own);
    new Uint8Array(out.buffer).set(this.#heap.bytes.subarray(address, address + out.byteLength));
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
      this.#dropPrepared(buffer);
      this.#resident(buffer);
    }
    try {
      this.#run(kernel.name, library, program(this.#bind(inputs), boundOutputs, params, this.machine), null);
    } finally {
      this.#pinned.clear();
    }
    this.#calls++;
  }

  record<T>(body: () => T, results: (value: T) => readonly BackendBuffer[]): { value: T; recording: BackendRecording } {
    if (this.#recording) throw new IIError('ERR_CAPTURE', 'capture: captures do not nest');
    const recording = new Recording(this.#heap, this.#queue);
    this.#recording = recording;
    let value: T;
    let kept: WasmBuffer[];
    try {
      value = body();
      kept = results(value).map((buffer) => this.#own(buffer));
    } catch (error) {
      recording.dispose();
      throw error;
    } finally {
      this.#recording = null;
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
    return { used: this.#heap.used, reserved: this.#heap.reserved };
  }

  destroy(): void {
    this.#queue.destroy();
  }

  #run(kernel: string, library: WasmLibrary, steps: readonly WasmStep[], target: Block | null): void {
    const functions = this.#load(library);
    const own: ProgramMemory = { target, scratch: new Map(), transient: [] };
    try {
      for (const { fn, args, chunks } of steps) {
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
        if (this.#recording) {
          this.#recording.note(index, this.#words, args.length, chunks, planned);
          continue;
        }
        this.#traced?.set(this.#queue.issued, { call: this.#calls, step: fn });
        this.#queue.run(index, this.#words, args.length, chunks);
      }
    } finally {
      for (const block of own.scratch.values()) this.#give(block);
      for (const { block } of own.transient) this.#heap.release(block, this.#queue.issued);
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
      const block = scratch.get(arg) ?? this.#take(arg.bytes);
      scratch.set(arg, block);
      return block;
    }
    const { buffer } = (arg.kind === 'prepared' ? arg.of : arg) as BoundOperand;
    this.#recording?.listedIn(buffer.readers);
    if (arg.kind === 'operand') return this.#resident(buffer);
    return transient.find(({ of, key }) => of === buffer && key === arg.key)?.block ?? buffer.prepared.get(arg.key)!;
  }

  /** Makes the prepared form of an operand, unless it is there; beyond the budget it lives for one program. */
  #prepare(kernel: string, library: WasmLibrary, prepared: WasmPrepared, { transient }: ProgramMemory): void {
    const { buffer } = prepared.of as BoundOperand;
    this.#pinned.add(buffer);
    if (buffer.prepared.has(prepared.key)) return;
    if (transient.some(({ of, key }) => of === buffer && key === prepared.key)) return;
    const recording = this.#recording;
    if (recording && this.#preparedBytes + prepared.bytes > this.#weightBudget) {
      throw new IIError(
        'ERR_CAPTURE',
        'capture: the weights are beyond the budget of the device and change places; run without capture',
      );
    }
    // What is prepared stays: it is made now, also while commands are only noted.
    this.#recording = null;
    const block = this.#allocate(prepared.bytes, false);
    const guest = buffer.block === null;
    if (guest) this.#bringIn(buffer);
    this.#run(kernel, library, prepared.fill({ kind: 'target' }), block);
    this.#recording = recording;
    if (this.#preparedBytes + block.size <= this.#weightBudget) {
      buffer.prepared.set(prepared.key, block);
      this.#preparedBytes += block.size;
      this.#withPrepared.add(buffer);
    } else transient.push({ of: buffer, key: prepared.key, block });
    if (guest && buffer.block) {
      this.#staged.push({ bytes: buffer.block.size, until: this.#queue.issued });
      this.#heap.release(buffer.block, this.#queue.issued);
      buffer.block = null;
    }
  }

  /** Copies a weight from the host for a short stay, waiting for earlier guests to leave if there are too many. */
  #bringIn(buffer: WasmBuffer): void {
    const bytes = buffer.host!.byteLength;
    const pending = (): number => this.#staged.reduce((sum, guest) => sum + guest.bytes, 0);
    this.#staged = this.#staged.filter(({ until }) => until > this.#queue.completed);
    while (this.#staged.length > 0 && pending() + bytes > STAGING) this.#queue.waitFor(this.#staged.shift()!.until);
    buffer.block = this.#place(buffer.host!);
  }

  #dropPrepared(buffer: WasmBuffer): void {
    if (buffer.prepared.size > 0) this.#invalidateReaders(buffer);
    for (const block of buffer.prepared.values()) {
      this.#preparedBytes -= block.size;
      this.#heap.release(block, this.#queue.issued);
    }
    buffer.prepared.clear();
    this.#withPrepared.delete(buffer);
  }

  /** Memory that recordings read goes away; the recording that is being made keeps what its own body gives back. */
  #invalidateReaders({ readers }: WasmBuffer): void {
    for (const recording of readers) if (recording !== this.#recording) recording.invalidate();
  }

  /** Memory for the commands that are enqueued or recorded now. */
  #take(bytes: number): Block {
    return this.#recording ? this.#recording.allocate(bytes) : this.#allocate(bytes, false);
  }

  #give(block: Block): void {
    if (this.#recording) this.#recording.release(block);
    else this.#heap.release(block, this.#queue.issued);
  }

  /** Memory for queued commands to write, or for the host; gives up prepared weights before it gives up. */
  #allocate(bytes: number, forHost: boolean): Block {
    const attempt = (): Block => this.#heap.allocate(bytes, forHost ? this.#queue.completed : Infinity);
    try {
      return attempt();
    } catch (error) {
      const idle = [...this.#withPrepared]
        .filter(({ readers }) => readers.size === 0)
        .filter((b) => !this.#pinned.has(b));
      if (!(error instanceof OutOfMemoryError) || (idle.length === 0 && !forHost)) throw error;
      for (const buffer of idle) this.#dropPrepared(buffer);
      if (forHost) this.#queue.waitFor(this.#queue.issued);
      return attempt();
    }
  }

  /** The block of a buffer; elements that are only on the host move in for good. */
  #resident(buffer: WasmBuffer): Block {
    if (!buffer.block && buffer.host) {
      buffer.block = this.#place(buffer.host);
      buffer.host = null;
    }
    if (buffer.block) return buffer.block;
    throw new DisposedError('a buffer was used after it was released');
  }

  #place(data: HostArray): Block {
    const block = this.#allocate(data.byteLength, true);
    this.#heap.bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), block.address);
    return block;
  }

  #load(library: WasmLibrary): ReadonlyMap<string, number> {
    let functions = this.#functions.get(library);
    if (!functions) {
      functions = this.#queue.load(libraryBytes(library, this.machine.relaxed, this.#heap.shared));
      this.#functions.set(library, functions);
    }
    return functions;
  }

  #own(buffer: BackendBuffer): WasmBuffer {
    if (buffer instanceof WasmBuffer) return buffer;
    throw new DisposedError(`buffer of backend '${buffer.backend}' was handed to the wasm backend`);
  }

  #bind<S>(operands: Bound<S, Operand>): Bound<S, BoundOperand> {
    const bound: Partial<Record<keyof S, BoundOperand>> = {};
    for (const key in operands) {
      const operand = operands[key];
      if (!operand) continue;
      const { shape, dtype } = operand;
      bound[key] = { kind: 'operand', shape, dtype, buffer: this.#own(operand.buffer) };
    }
    return bound as Bound<S, BoundOperand>;
  }
}

function toElements(dtype: DType, data: HostArray | Float64Array): HostArray {
  if (!(data instanceof Float64Array)) return data;
  const out = hostArray(dtype, data.length);
  if (dtype === 'f16') for (let i = 0; i < data.length; i++) out[i] = floatToHalf(data[i]!);
  else out.set(data);
  return out;
}
