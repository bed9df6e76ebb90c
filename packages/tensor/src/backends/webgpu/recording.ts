import { IIError } from '../../errors.js';
import type { BackendRecording } from '../backend.js';
import type { BufferPool, PoolBuffer } from './buffer-pool.js';
import type { Dispatch } from './queue.js';

/**
 * Dispatches that are noted instead of run, over buffers of their own: these are taken and given back in the order of the
 * dispatches, so that later ones reuse what earlier ones no longer need.
 */
export class Recording implements BackendRecording {
  readonly #dispatches: Dispatch[] = [];
  readonly #owned = new Set<PoolBuffer>();
  /** Owned buffers that nothing in the body needs any more. */
  readonly #free: PoolBuffer[] = [];
  /** Buffers that the host filled while recording, and outer ones that were let go since: their contents must stay. */
  readonly #constants: PoolBuffer[] = [];
  /** The sets in which buffers list their readers. */
  readonly #listings = new Set<Set<Recording>>();
  #valid = true;

  constructor(
    private readonly pool: BufferPool,
    private readonly enqueue: (dispatch: Dispatch) => void,
  ) {}

  /** A buffer for the dispatches that are noted next. */
  take(bytes: number): PoolBuffer {
    const size = this.pool.sizeClass(bytes);
    const at = this.#free.findLastIndex((buffer) => buffer.bytes === size);
    if (at >= 0) return this.#free.splice(at, 1)[0]!;
    const buffer = this.pool.take(bytes, false);
    this.#owned.add(buffer);
    return buffer;
  }

  /** Owned buffers can be taken again; any other stays as it is until the recording is disposed of. */
  give(buffer: PoolBuffer): void {
    (this.#owned.has(buffer) ? this.#free : this.#constants).push(buffer);
  }

  owns(buffer: PoolBuffer): boolean {
    return this.#owned.has(buffer);
  }

  note(dispatch: Dispatch): void {
    this.#dispatches.push(dispatch);
  }

  /**
   * @param kept buffers that outlive the body: its results.
   * @throws IIError when another one is still held.
   */
  finish(kept: readonly PoolBuffer[]): void {
    const held = [...this.#owned].filter((buffer) => !kept.includes(buffer) && !this.#free.includes(buffer));
    if (held.length === 0) return;
    const bytes = held.reduce((sum, buffer) => sum + buffer.bytes, 0);
    throw new IIError(
      'ERR_CAPTURE',
      `capture: ${bytes} bytes made in the body are still held at its end; dispose of them, return them, or make and read them outside`,
    );
  }

  /** Notes that a buffer lists this recording among its readers, to be struck off in the end. */
  listedIn(readers: Set<Recording>): void {
    readers.add(this);
    this.#listings.add(readers);
  }

  /** Called when memory that the dispatches read is given back or made anew. */
  invalidate(): void {
    this.#valid = false;
  }

  replay(): void {
    if (!this.#valid) {
      throw new IIError(
        'ERR_CAPTURE',
        'capture: a tensor that the body reads was written to or disposed of since; capture again',
      );
    }
    for (const dispatch of this.#dispatches) this.enqueue(dispatch);
  }

  dispose(): void {
    for (const buffer of [...this.#owned, ...this.#constants]) this.pool.give(buffer);
    for (const readers of this.#listings) readers.delete(this);
    this.#owned.clear();
    this.#listings.clear();
    this.#free.length = 0;
    this.#constants.length = 0;
    this.#dispatches.length = 0;
    this.#valid = false;
  }
}
