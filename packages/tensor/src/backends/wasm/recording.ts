import { IIError } from '../../errors.js';
import type { BackendRecording } from '../backend.js';
import { blockSize, type Block } from './address-space.js';
import type { Heap } from './heap.js';
import { placeBlocks, type PlannedUse } from './plan.js';
import type { CommandQueue } from './queue.js';

/** A block of the recording's own memory; its address is its number until the memory is planned. */
export interface PlannedBlock extends Block {
  readonly planned: true;
}

interface Command {
  readonly fn: number;
  readonly words: Int32Array;
  readonly chunks: number;
  /** Which words stand for blocks of the recording's own memory. */
  readonly planned: readonly number[];
}

/**
 * Commands that are noted instead of run, over memory of their own, which is planned at the end from the lifetimes of
 * the blocks.
 */
export class Recording implements BackendRecording {
  readonly #commands: Command[] = [];
  readonly #blocks: PlannedUse[] = [];
  #addresses: readonly number[] = [];
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
    const size = blockSize(bytes);
    const number = this.#blocks.push({ size, from: this.#commands.length, to: Infinity }) - 1;
    return { address: number, size, planned: true };
  }

  /** The life of a planned block ends with the commands so far; memory of the heap that commands of the recording read stays until its end. */
  release(block: Block): void {
    if (isPlanned(block)) this.#blocks[block.address]!.to = this.#commands.length;
    else this.#constants.push(block);
  }

  note(fn: number, words: Int32Array, count: number, chunks: number, planned: readonly number[]): void {
    this.#commands.push({ fn, words: words.slice(0, count), chunks, planned });
  }

  /**
   * Gives the plan its memory.
   *
   * @param kept planned blocks that outlive the recording: its results.
   * @throws IIError when something else in it was not released.
   */
  finish(kept: readonly Block[]): void {
    const held = this.#blocks.filter(({ to }) => to === Infinity).length - kept.length;
    if (held !== 0) {
      throw new IIError(
        'ERR_CAPTURE',
        `capture: ${held} blocks made in the body are still held at its end; dispose of them, return them, or make and read them outside`,
      );
    }
    const { addresses, size } = placeBlocks(this.#blocks);
    this.#addresses = addresses;
    this.#memory = this.heap.allocate(size, Infinity);
    for (const { words, planned } of this.#commands) {
      for (const i of planned) words[i] = addresses[words[i]!]! + this.#memory.address;
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
    return { address: this.#addresses[block.address]! + this.#memory!.address, size: block.size };
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
