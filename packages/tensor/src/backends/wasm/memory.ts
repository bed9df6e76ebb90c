import type { HostArray } from '../../dtype.js';
import { DisposedError, OutOfMemoryError } from '../../errors.js';
import type { Block } from './address-space.js';
import type { WasmBuffer } from './buffer.js';
import type { Heap } from './heap.js';
import type { CommandQueue } from './queue.js';
import type { Recording } from './recording.js';

/** Bytes of weights on their way from the host to their prepared form: enough to keep the workers busy. */
const STAGING = 24 << 20;

/**
 * Where tensors and the prepared forms of weights live: in the heap, in the plan of a recording, or on the host until
 * they are needed. Prepared forms are kept up to a budget and give way when memory runs out.
 */
export class WasmMemory {
  /** While set, memory for commands comes from its plan. */
  recording: Recording | null = null;
  readonly #withPrepared = new Set<WasmBuffer>();
  #preparedBytes = 0;
  /** Buffers whose prepared forms the program that is being enqueued uses. */
  readonly #pinned = new Set<WasmBuffer>();
  /** Weights that were brought in to be prepared, and the command after which their memory is free again. */
  #guests: { readonly bytes: number; readonly until: number }[] = [];

  /** @param weightBudget bytes of prepared forms to keep. */
  constructor(
    readonly heap: Heap,
    private readonly queue: CommandQueue,
    private readonly weightBudget: number,
  ) {}

  /** Memory for the commands that are enqueued or recorded now. */
  take(bytes: number): Block {
    return this.recording ? this.recording.allocate(bytes) : this.allocate(bytes, false);
  }

  give(block: Block): void {
    if (this.recording) this.recording.release(block);
    else this.heap.release(block, this.queue.issued);
  }

  /** Memory of the heap, for queued commands to write or for the host; prepared forms give way to it. */
  allocate(bytes: number, forHost: boolean): Block {
    const attempt = (): Block => this.heap.allocate(bytes, forHost ? this.queue.completed : Infinity);
    try {
      return attempt();
    } catch (error) {
      const idle = [...this.#withPrepared].filter((buffer) => buffer.readers.size === 0 && !this.#pinned.has(buffer));
      if (!(error instanceof OutOfMemoryError) || (idle.length === 0 && !forHost)) throw error;
      for (const buffer of idle) this.dropPrepared(buffer);
      if (forHost) this.queue.waitFor(this.queue.issued);
      return attempt();
    }
  }

  /** A block with a copy of `data`. */
  place(data: HostArray): Block {
    const block = this.allocate(data.byteLength, true);
    this.heap.bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), block.address);
    return block;
  }

  /** The block of a buffer; elements that are only on the host move in for good. */
  resident(buffer: WasmBuffer): Block {
    if (!buffer.block && buffer.host) {
      buffer.block = this.place(buffer.host);
      buffer.host = null;
    }
    if (buffer.block) return buffer.block;
    throw new DisposedError('a buffer was used after it was released');
  }

  /** Gives back all that a buffer holds. */
  release(buffer: WasmBuffer): void {
    this.dropPrepared(buffer);
    this.#invalidateReaders(buffer);
    if (buffer.block && !buffer.borrowed) this.give(buffer.block);
    buffer.block = null;
    buffer.host = null;
  }

  /**
   * Brings a weight that is on the host in for as long as `use` enqueues work on it, waiting for earlier guests to leave
   * if there are too many.
   */
  visit(buffer: WasmBuffer, use: () => void): void {
    if (buffer.block || !buffer.host) return use();
    const pending = (): number => this.#guests.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#guests = this.#guests.filter(({ until }) => until > this.queue.completed);
    while (this.#guests.length > 0 && pending() + buffer.host.byteLength > STAGING) {
      this.queue.waitFor(this.#guests.shift()!.until);
    }
    const block = this.place(buffer.host);
    buffer.block = block;
    try {
      use();
    } finally {
      buffer.block = null;
      this.#guests.push({ bytes: block.size, until: this.queue.issued });
      this.heap.release(block, this.queue.issued);
    }
  }

  /** Keeps a buffer's prepared forms from giving way until {@link WasmMemory.unpin}. */
  pin(buffer: WasmBuffer): void {
    this.#pinned.add(buffer);
  }

  unpin(): void {
    this.#pinned.clear();
  }

  /** Whether a prepared form of that size is within the budget. */
  affords(bytes: number): boolean {
    return this.#preparedBytes + bytes <= this.weightBudget;
  }

  keepPrepared(buffer: WasmBuffer, key: string, block: Block): void {
    buffer.prepared.set(key, block);
    this.#preparedBytes += block.size;
    this.#withPrepared.add(buffer);
  }

  dropPrepared(buffer: WasmBuffer): void {
    if (buffer.prepared.size > 0) this.#invalidateReaders(buffer);
    for (const block of buffer.prepared.values()) {
      this.#preparedBytes -= block.size;
      this.heap.release(block, this.queue.issued);
    }
    buffer.prepared.clear();
    this.#withPrepared.delete(buffer);
  }

  /** Memory that recordings read goes away; the recording that is being made keeps what its own body gives back. */
  #invalidateReaders({ readers }: WasmBuffer): void {
    for (const recording of readers) if (recording !== this.recording) recording.invalidate();
  }
}
