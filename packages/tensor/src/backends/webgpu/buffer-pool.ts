import { LimitExceededError } from '../../errors.js';
import { usage } from './constants.js';

/** Numbers of batches of commands: which one is being filled, and up to which they were handed to the GPU's queue. */
export interface BatchClock {
  readonly open: number;
  readonly submitted: number;
}

/** A storage buffer of the pool. */
export interface PoolBuffer {
  /** Never used twice. */
  readonly id: number;
  readonly gpu: GPUBuffer;
  readonly bytes: number;
  /** The latest batch whose commands touch it. */
  lastUse: number;
}

/** Free memory that is kept in any case, beyond half of the most that was ever in use. */
const keptBytes = 64 * 2 ** 20;

/**
 * GPU buffers for tensors, by size class. Commands run in order, so a buffer that was given back may be taken for later
 * commands at once; the host writes ahead of all commands that are not submitted yet, so for it only buffers count that
 * none of those touch.
 *
 * Of several free buffers the oldest is taken, whatever order they were given back in: work that is repeated from the same
 * state gets the same buffers each time, and with them the bind groups that are there already.
 */
export class BufferPool {
  /** By size class, the oldest last. */
  readonly #free = new Map<number, PoolBuffer[]>();
  #made = 0;
  #used = 0;
  #reserved = 0;
  #peak = 0;

  /**
   * @param limit bytes of the largest buffer.
   * @param created called around each creation, to watch for failures.
   * @param destroyed called with each buffer that was destroyed.
   */
  constructor(
    private readonly device: GPUDevice,
    private readonly clock: BatchClock,
    private readonly limit: number,
    private readonly created: (bytes: number, create: () => GPUBuffer) => GPUBuffer,
    private readonly destroyed: (buffer: PoolBuffer) => void,
  ) {}

  /** Bytes taken. */
  get used(): number {
    return this.#used;
  }

  /** Bytes of all buffers. */
  get reserved(): number {
    return this.#reserved;
  }

  /**
   * The size of a buffer for `bytes`: in steps of an eighth of a power of two, so that maps of similar sizes share buffers.
   *
   * @throws LimitExceededError when no buffer can be that large.
   */
  sizeClass(bytes: number): number {
    const whole = Math.max(256, Math.ceil(bytes / 4) * 4);
    if (whole > this.limit) {
      const { maxBufferSize, maxStorageBufferBindingSize } = this.device.limits;
      throw new LimitExceededError(
        maxBufferSize < maxStorageBufferBindingSize ? 'maxBufferSize' : 'maxStorageBufferBindingSize',
        whole,
        this.limit,
        'use a smaller image or batch, or the wasm device',
      );
    }
    const step = Math.max(256, 2 ** (Math.floor(Math.log2(whole)) - 3));
    return Math.min(Math.ceil(whole / step) * step, this.limit);
  }

  /**
   * A buffer of at least `bytes`, its contents unspecified.
   *
   * @param forHost whether the host writes it next.
   * @throws LimitExceededError when no buffer can be that large.
   */
  take(bytes: number, forHost: boolean): PoolBuffer {
    const size = this.sizeClass(bytes);
    const list = this.#free.get(size);
    const at = list?.findLastIndex(({ lastUse }) => !forHost || lastUse <= this.clock.submitted) ?? -1;
    const buffer = at >= 0 ? list!.splice(at, 1)[0]! : this.#create(size);
    this.#used += size;
    this.#peak = Math.max(this.#peak, this.#used);
    return buffer;
  }

  give(buffer: PoolBuffer): void {
    const list = this.#free.get(buffer.bytes);
    if (list) list.splice(placeOf(buffer.id, list), 0, buffer);
    else this.#free.set(buffer.bytes, [buffer]);
    this.#used -= buffer.bytes;
    this.#shrink();
  }

  /** Destroys every buffer that is free. */
  destroyFree(): void {
    for (const list of this.#free.values()) for (const buffer of list) this.#destroy(buffer);
    this.#free.clear();
  }

  #create(bytes: number): PoolBuffer {
    const flags = usage.storage | usage.copySource | usage.copyTarget;
    const gpu = this.created(bytes, () => this.device.createBuffer({ size: bytes, usage: flags }));
    this.#reserved += bytes;
    return { id: this.#made++, gpu, bytes, lastUse: 0 };
  }

  #destroy(buffer: PoolBuffer): void {
    buffer.gpu.destroy();
    this.#reserved -= buffer.bytes;
    this.destroyed(buffer);
  }

  /** Destroys what has been free for longest while too much is. */
  #shrink(): void {
    const most = this.#peak + Math.max(keptBytes, this.#peak / 2);
    while (this.#reserved > most) {
      const oldest = this.#longestFree();
      if (!oldest) return;
      const list = this.#free.get(oldest.bytes)!;
      list.splice(list.indexOf(oldest), 1);
      this.#destroy(oldest);
    }
  }

  /** Of the free buffers that no waiting command touches. */
  #longestFree(): PoolBuffer | null {
    let longest: PoolBuffer | null = null;
    for (const list of this.#free.values()) {
      for (const buffer of list) {
        if (buffer.lastUse > this.clock.submitted) continue;
        if (!longest || buffer.lastUse < longest.lastUse) longest = buffer;
      }
    }
    return longest;
  }
}

/** Where a buffer belongs in a list by falling id. */
function placeOf(id: number, list: readonly PoolBuffer[]): number {
  let [from, to] = [0, list.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (list[middle]!.id > id) from = middle + 1;
    else to = middle;
  }
  return from;
}
