import { KernelFailedError } from '../../errors.js';
import type { Heap } from './heap.js';
import { functionNames, kernelFunctions, type KernelFunction } from './library.js';
import { ARGUMENTS, slotOf } from './protocol.js';
import type { CommandQueue, TimeReport } from './queue.js';

/** Runs every command at once on the calling thread. */
export class InlineQueue implements CommandQueue {
  readonly threads = 1;
  issued = 0;
  readonly #heap: Heap;
  readonly #functions: KernelFunction[] = [];
  readonly #names: string[] = [];
  #report: TimeReport | null = null;

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  get completed(): number {
    return this.issued;
  }

  load(bytes: Uint8Array<ArrayBuffer>): ReadonlyMap<string, number> {
    const module = new WebAssembly.Module(bytes);
    const first = this.#functions.length;
    this.#functions.push(...kernelFunctions(module, this.#heap.memory));
    const names = functionNames(module);
    this.#names.push(...names);
    return new Map(names.map((name, i) => [name, first + i]));
  }

  run(fn: number, words: Int32Array, count: number, chunks: number): void {
    const slot = slotOf(0) + ARGUMENTS;
    new Int32Array(this.#heap.memory.buffer, slot * 4, count).set(words.subarray(0, count));
    const started = this.#report ? performance.now() : 0;
    try {
      for (let chunk = 0; chunk < chunks; chunk++) this.#functions[fn]!(slot * 4, chunk, 0);
    } catch (error) {
      throw new KernelFailedError(this.#names[fn]!, String(error));
    }
    this.#report?.(this.issued, performance.now() - started);
    this.issued++;
  }

  waitFor(): void {}

  trace(report: TimeReport | null): void {
    this.#report = report;
  }

  async fence(): Promise<void> {}

  destroy(): void {}
}
