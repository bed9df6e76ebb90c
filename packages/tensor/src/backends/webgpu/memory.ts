import { bytesPerElement, type DType, type HostArray } from '../../dtype.js';
import { DisposedError } from '../../errors.js';
import type { BackendBuffer } from '../backend.js';
import type { BufferPool, PoolBuffer } from './buffer-pool.js';
import type { WebGpuQueue } from './queue.js';
import type { Recording } from './recording.js';

/** The elements of a tensor. */
export class WebGpuBuffer implements BackendBuffer {
  readonly backend = 'webgpu';
  /** Null while the elements are only on the host. */
  memory: PoolBuffer | null = null;
  /** Elements kept on the host until a kernel reads them as they are. */
  host: HostArray | null = null;
  readonly prepared = new Map<string, PoolBuffer>();
  /** Recordings that read this memory or a prepared form of it. */
  readonly readers = new Set<Recording>();
  /** Whether the memory is a recording's: it goes with the recording. */
  borrowed = false;
  /** Whether f32 elements lie in memory as halves. */
  halves = false;
  /** Set while there is no memory yet, since what is written first decides how it is stored: where it was made. */
  unplaced: { readonly within: Recording | null } | null = null;

  constructor(
    readonly dtype: DType,
    readonly length: number,
  ) {}

  get bytes(): number {
    return this.length * (this.halves ? 2 : bytesPerElement(this.dtype));
  }
}

/** Where the elements of tensors are: on the GPU, on the host, in prepared forms, in the buffers of a recording. */
export class WebGpuMemory {
  /** The recording that is being made. */
  recording: Recording | null = null;

  constructor(
    readonly pool: BufferPool,
    private readonly queue: WebGpuQueue,
  ) {}

  /** A buffer for the steps that are enqueued or recorded now. */
  take(bytes: number): PoolBuffer {
    return this.recording ? this.recording.take(bytes) : this.pool.take(bytes, false);
  }

  give(buffer: PoolBuffer): void {
    if (this.recording) this.recording.give(buffer);
    else this.pool.give(buffer);
  }

  /** A buffer with a copy of `data`. */
  place(data: HostArray): PoolBuffer {
    const memory = this.pool.take(data.byteLength, true);
    this.queue.write(memory, new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength));
    return memory;
  }

  /** A buffer that has its memory from {@link WebGpuMemory.settle} on. */
  defer(buffer: WebGpuBuffer): void {
    this.pool.sizeClass(buffer.length * 2);
    buffer.unplaced = { within: this.recording };
  }

  /** Gives a deferred buffer its memory; others have theirs. */
  settle(buffer: WebGpuBuffer, halves: boolean): void {
    if (!buffer.unplaced) return;
    const { within } = buffer.unplaced;
    buffer.halves = halves;
    // What was made before a recording began is not its own.
    buffer.memory = within === this.recording ? this.take(buffer.bytes) : this.pool.take(buffer.bytes, false);
    buffer.unplaced = null;
  }

  /** The memory of a buffer, brought in from the host if need be. */
  resident(buffer: WebGpuBuffer): PoolBuffer {
    this.settle(buffer, false);
    if (buffer.memory) return buffer.memory;
    if (!buffer.host) throw new DisposedError('a buffer was used after it was released');
    buffer.memory = this.place(buffer.host);
    buffer.host = null;
    return buffer.memory;
  }

  /** Runs `body` with the buffer's elements on the GPU; those held on the host leave again. */
  visit(buffer: WebGpuBuffer, body: () => void): void {
    const guest = buffer.memory ? null : buffer.host;
    this.resident(buffer);
    try {
      body();
    } finally {
      if (guest && buffer.memory) {
        this.pool.give(buffer.memory);
        buffer.memory = null;
        buffer.host = guest;
      }
    }
  }

  release(buffer: WebGpuBuffer): void {
    this.dropPrepared(buffer);
    this.#invalidateReaders(buffer);
    if (buffer.memory && !buffer.borrowed) this.give(buffer.memory);
    buffer.memory = null;
    buffer.host = null;
    buffer.unplaced = null;
  }

  /** Gives up the prepared forms of a buffer whose elements change. */
  dropPrepared(buffer: WebGpuBuffer): void {
    if (buffer.prepared.size === 0) return;
    this.#invalidateReaders(buffer);
    for (const memory of buffer.prepared.values()) this.give(memory);
    buffer.prepared.clear();
  }

  /** The recording that is being made keeps what its own body gives back. */
  #invalidateReaders({ readers }: WebGpuBuffer): void {
    for (const recording of readers) if (recording !== this.recording) recording.invalidate();
  }
}
