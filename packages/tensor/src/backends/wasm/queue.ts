/**
 * The queue of the CPU device. It runs on workers that take commands from a ring in shared memory (`worker-queue.ts`),
 * or on the calling thread where shared memory or workers are not to be had (`inline-queue.ts`).
 */

/** Told how long a command took. */
export type TimeReport = (sequence: number, milliseconds: number) => void;

export interface CommandQueue {
  readonly threads: number;
  /** Number of the command that is enqueued next; commands are numbered from 0. */
  readonly issued: number;
  /** Commands below this number are done. */
  readonly completed: number;
  /** Makes a library's functions callable; gives their numbers by name. */
  load(bytes: Uint8Array<ArrayBuffer>): ReadonlyMap<string, number>;
  /** Enqueues a function with its argument words. */
  run(fn: number, words: Int32Array, count: number, chunks: number): void;
  /** Blocks until commands below `sequence` are done. For rare back-pressure: a page's main thread polls meanwhile. */
  waitFor(sequence: number): void;
  /** While set, called with the time in milliseconds that each command enqueued from now on takes, once it is known. */
  trace(report: TimeReport | null): void;
  /** Resolves when all commands so far are done; rejects with the first failure since the last fence. */
  fence(): Promise<void>;
  destroy(): void;
}
