import { IIError } from '../../errors.js';
import type { BackendRecording } from '../backend.js';
import { AddressSpace, type Block } from './address-space.js';
import type { Heap } from './heap.js';
import type { CommandQueue } from './queue.js';

/** A block of the recording's own memory; its address counts from the start of that memory. */
export interface PlannedBlock extends Block {
  readonly planned: true;
}

interface Command {
  readonly fn: number;
  readonly words: Int32Array;
  readonly chunks: number;
  /** Which words are addresses in the recording's own memory. */
  readonly planned: readonly number[];
}

/**
 * Commands that are noted instead of run, over memory of their own: allocation and release happen in the order of the
 * commands, so that the plan reuses what is no longer needed exactly as the queue would.
 */
export class Recording implements BackendRecording {
  readonly #commands: Command[] = [];
  readonly #plan = new AddressSpace(0);
  readonly #constants: Block[] = [];
  #memory: Block | null = null;
  #valid = true;
  /** The sets in which buffers list their readers. */
  readonly #listings = new Set<Set<Recording>>();

  constructor(
    private readonly heap: Heap,
    private readonly queue: CommandQueue,
  ) {}

  allocate(bytes: number): PlannedBlock {
    return { ...this.#plan.allocate(bytes), planned: true };
  }

  /** Planned memory returns to the plan; memory of the heap that commands of the recording read stays until its end. */
  release(block: Block): void {
    if (isPlanned(block)) this.#plan.release(block);
    else this.#constants.push(block);
  }

  note(fn: number, words: Int32Array, count: number, chunks: number, planned: readonly number[]): void {
    this.#commands.push({ fn, words: words.slice(0, count), chunks, planned });
  }

  /**
   * Gives the plan its memory.
   *
   * @param kept bytes of planned blocks that outlive the recording: its results.
   * @throws IIError when something else in it was not released.
   */
  finish(kept: readonly Block[]): void {
    const expected = kept.reduce((sum, { size }) => sum + size, 0);
    if (this.#plan.used !== expected) {
      throw new IIError(
        'ERR_CAPTURE',
        `capture: ${this.#plan.used - expected} bytes made in the body are still held at its end; dispose of them, return them, or make and read them outside`,
      );
    }
    this.#memory = this.heap.allocate(this.#plan.end, Infinity);
    for (const { words, planned } of this.#commands) {
      for (const i of planned) words[i] = words[i]! + this.#memory.address;
    }
  }

  /** Notes that a buffer lists this recording among its readers, to be struck off in the end. */
  listedIn(readers: Set<Recording>): void {
    readers.add(this);
    this.#listings.add(readers);
  }

  /** Called when memory that the commands read is given back or changes its place. */
  invalidate(): void {
    this.#valid = false;
  }

  /** Where a planned block is. */
  locate(block: Block): Block {
    return { address: block.address + this.#memory!.address, size: block.size };
  }

  replay(): void {
    if (!this.#valid) {
      throw new IIError(
        'ERR_CAPTURE',
        'capture: a tensor that the body reads was written to or disposed of since; capture again',
      );
    }
    for (const { fn, words, chunks } of this.#commands) this.queue.run(fn, words, words.length, chunks);
  }

  dispose(): void {
    for (const block of [...this.#constants, ...(this.#memory ? [this.#memory] : [])]) {
      this.heap.release(block, this.queue.issued);
    }
    for (const readers of this.#listings) readers.delete(this);
    this.#listings.clear();
    this.#constants.length = 0;
    this.#commands.length = 0;
    this.#memory = null;
    this.#valid = false;
  }
}

export const isPlanned = (block: Block): block is PlannedBlock => 'planned' in block;
