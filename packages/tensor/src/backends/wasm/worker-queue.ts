import { KernelFailedError } from '../../errors.js';
import type { Heap } from './heap.js';
import { functionNames } from './library.js';
import {
  ARGUMENTS,
  CHUNKS,
  DONE,
  FAILURES,
  FENCE,
  FUNCTION,
  HEAD,
  LOAD,
  MAX_THREADS,
  PROGRESS,
  SLOTS,
  TRACING,
  claimsOf,
  slotOf,
  timesOf,
} from './protocol.js';
import type { CommandQueue, TimeReport } from './queue.js';

/** What this module needs of a worker, in Node and in browsers. */
interface WorkerHandle {
  postMessage(message: unknown): void;
  terminate(): unknown;
  ref?(): void;
  unref?(): void;
}

interface WorkerMessage {
  readonly ready?: true;
  readonly fence?: number;
  readonly error?: string;
  readonly operation?: number;
}

interface PendingFence {
  readonly sequence: number;
  resolve(): void;
  reject(error: Error): void;
}

/** Worker threads over a ring of commands in shared memory. */
export class WorkerQueue implements CommandQueue {
  readonly threads: number;
  issued = 0;
  readonly #heap: Heap;
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  /** Commands whose times are still to be reported. */
  readonly #timed = new Set<number>();
  #report: TimeReport | null = null;
  readonly #workers: WorkerHandle[] = [];
  readonly #names: string[] = [];
  /** By the number of the fence command, modulo 2³². */
  readonly #fences = new Map<number, PendingFence>();
  #fenced = 0;
  /** Fences that were passed, until all failures before them are known. */
  readonly #passed: PendingFence[] = [];
  /** Failures whose reason has arrived. */
  #reported = 0;
  #failure: Error | null = null;

  private constructor(heap: Heap, threads: number) {
    this.#heap = heap;
    this.threads = threads;
    this.#words = new Int32Array(heap.memory.buffer);
    this.#times = new Float64Array(heap.memory.buffer);
  }

  /**
   * Starts `threads` workers.
   *
   * @throws when the platform refuses workers; the caller falls back to {@link InlineQueue}.
   */
  static async start(heap: Heap, threads: number): Promise<WorkerQueue> {
    const queue = new WorkerQueue(heap, Math.min(threads, MAX_THREADS));
    try {
      await Promise.all(Array.from({ length: queue.threads }, (_, thread) => queue.#spawn(thread)));
    } catch (error) {
      queue.destroy();
      throw error;
    }
    return queue;
  }

  get completed(): number {
    // Progress wraps at 2³²: count back from what was issued. A fence's message can arrive before its progress.
    const behind = (this.issued - Atomics.load(this.#words, PROGRESS)) | 0;
    return Math.max(this.#fenced, this.issued - behind);
  }

  load(bytes: Uint8Array<ArrayBuffer>): ReadonlyMap<string, number> {
    const names = functionNames(new WebAssembly.Module(bytes));
    const first = this.#names.length;
    this.#names.push(...names);
    const block = this.#heap.allocate(bytes.length, this.completed);
    this.#heap.bytes.set(bytes, block.address);
    this.#enqueue(LOAD, Int32Array.of(block.address, bytes.length), 2, this.threads);
    this.#heap.release(block, this.issued);
    return new Map(names.map((name, i) => [name, first + i]));
  }

  run(fn: number, words: Int32Array, count: number, chunks: number): void {
    this.#enqueue(fn, words, count, chunks);
  }

  waitFor(sequence: number): void {
    for (let thread = 0; thread < this.threads; thread++) this.#awaitProgress(thread, sequence);
  }

  trace(report: TimeReport | null): void {
    this.#report = report;
    Atomics.store(this.#words, TRACING, report ? 1 : 0);
  }

  fence(): Promise<void> {
    const sequence = this.issued;
    this.#workers[0]?.ref?.();
    return new Promise((resolve, reject) => {
      this.#fences.set(sequence | 0, { sequence, resolve, reject });
      this.#enqueue(FENCE, Int32Array.of(sequence), 1, 1);
    });
  }

  destroy(): void {
    for (const worker of this.#workers) void worker.terminate();
    for (const { reject } of this.#fences.values())
      reject(new KernelFailedError('fence', 'the device was disposed of'));
    this.#fences.clear();
  }

  #enqueue(fn: number, args: Int32Array, count: number, chunks: number): void {
    const words = this.#words;
    this.#awaitSpace();
    // The command that had the slot before is done: its times are reported before they are overwritten.
    this.#reportTime(this.issued - SLOTS);
    if (this.#report) this.#timed.add(this.issued);
    const slot = slotOf(this.issued);
    words[slot + FUNCTION] = fn;
    words[slot + CHUNKS] = chunks;
    const claims = claimsOf(this.issued);
    words.fill(0, claims, claims + this.threads);
    words[slot + DONE] = 0;
    for (let i = 0; i < count; i++) words[slot + ARGUMENTS + i] = args[i]!;
    this.issued++;
    Atomics.store(words, HEAD, this.issued | 0);
    Atomics.notify(words, HEAD);
  }

  #reportTime(sequence: number): void {
    if (!this.#timed.delete(sequence)) return;
    const at = timesOf(sequence);
    this.#report?.(sequence, this.#times[at + 1]! - this.#times[at]!);
  }

  /** Blocks while the ring is full. */
  #awaitSpace(): void {
    for (let thread = 0; thread < this.threads; thread++) this.#awaitProgress(thread, this.issued - SLOTS + 1);
  }

  /** Blocks until a worker has left the commands below `sequence` behind. */
  #awaitProgress(thread: number, sequence: number): void {
    for (;;) {
      const progress = Atomics.load(this.#words, PROGRESS + thread);
      if (((sequence - progress) | 0) <= 0) return;
      try {
        Atomics.wait(this.#words, PROGRESS + thread, progress, 1);
      } catch {
        // Browsers forbid their main thread to sleep: it polls.
      }
    }
  }

  async #spawn(thread: number): Promise<void> {
    const { memory } = this.#heap;
    await new Promise<void>((resolve, reject) => {
      const receive = (message: WorkerMessage): void => {
        if (message.ready) resolve();
        else this.#receive(message);
      };
      const fail = (reason: unknown): void => {
        reject(reason instanceof Error ? reason : new Error(String(reason)));
        this.#fail(new KernelFailedError('worker', String(reason)));
      };
      const worker = startWorker(receive, fail);
      this.#workers[thread] = worker;
      worker.postMessage({ memory, thread, threads: this.threads });
    });
    this.#workers[thread]?.unref?.();
  }

  #receive({ fence, error, operation }: WorkerMessage): void {
    if (error !== undefined) {
      this.#reported++;
      this.#failure ??= new KernelFailedError(this.#names[operation ?? -1] ?? 'unknown', error);
    }
    const pending = fence === undefined ? undefined : this.#fences.get(fence);
    if (pending) {
      this.#fences.delete(pending.sequence | 0);
      this.#fenced = pending.sequence + 1;
      for (const sequence of this.#timed) if (sequence < pending.sequence) this.#reportTime(sequence);
      this.#passed.push(pending);
    }
    // Another worker's report of a failure may still be on its way when worker 0 reports the fence.
    if (Atomics.load(this.#words, FAILURES) !== this.#reported) return;
    for (const { resolve, reject } of this.#passed.splice(0)) {
      if (this.#failure) reject(this.#failure);
      else resolve();
      this.#failure = null;
    }
    if (this.#fences.size === 0) this.#workers[0]?.unref?.();
  }

  #fail(error: Error): void {
    for (const { reject } of [...this.#fences.values(), ...this.#passed.splice(0)]) reject(error);
    this.#fences.clear();
    this.#failure = error;
  }
}

function startWorker(receive: (message: WorkerMessage) => void, fail: (reason: unknown) => void): WorkerHandle {
  const node = globalThis.process?.getBuiltinModule?.('node:worker_threads');
  if (node) {
    const worker = new node.Worker(new URL('./worker.js', import.meta.url));
    worker.on('message', receive);
    worker.on('error', fail);
    return worker;
  }
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.onmessage = (event: MessageEvent<WorkerMessage>) => receive(event.data);
  worker.onerror = (event) => fail(event.message || 'the worker script could not be loaded');
  return worker;
}
