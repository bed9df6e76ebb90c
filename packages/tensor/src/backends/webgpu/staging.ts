import { usage } from './constants.js';

export interface StagingBuffer {
  readonly gpu: GPUBuffer;
  readonly bytes: number;
}

/** Buffers kept for the next reads. */
const kept = 4;

/** Buffers that the host can map to read results. */
export class StagingBuffers {
  readonly #free: StagingBuffer[] = [];
  bytes = 0;

  constructor(private readonly device: GPUDevice) {}

  take(bytes: number): StagingBuffer {
    const at = this.#free.findIndex((buffer) => buffer.bytes >= bytes && buffer.bytes <= 4 * Math.max(bytes, 4096));
    if (at >= 0) return this.#free.splice(at, 1)[0]!;
    const gpu = this.device.createBuffer({ size: bytes, usage: usage.mapRead | usage.copyTarget });
    this.bytes += bytes;
    return { gpu, bytes };
  }

  give(buffer: StagingBuffer): void {
    this.#free.push(buffer);
    if (this.#free.length > kept) this.#destroy(this.#free.shift()!);
  }

  destroy(): void {
    for (const buffer of this.#free) this.#destroy(buffer);
    this.#free.length = 0;
  }

  #destroy(buffer: StagingBuffer): void {
    buffer.gpu.destroy();
    this.bytes -= buffer.bytes;
  }
}
