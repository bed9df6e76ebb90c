import { usage } from './constants.js';
import { maxUniformWords } from './program.js';

const slotBytes = 256;
const slots = 4096;

/**
 * The uniform words of dispatches: equal words share one slot, so that a model that runs again writes nothing. When the
 * arena is full the commands that refer to it must be submitted before it starts over.
 */
export class UniformArena {
  readonly group: GPUBindGroup;
  readonly bytes = slots * slotBytes;
  readonly #buffer: GPUBuffer;
  readonly #offsets = new Map<string, number>();
  readonly #words = new Uint32Array(maxUniformWords);

  constructor(
    private readonly device: GPUDevice,
    layout: GPUBindGroupLayout,
  ) {
    this.#buffer = device.createBuffer({ size: this.bytes, usage: usage.uniform | usage.copyTarget });
    this.group = device.createBindGroup({
      layout,
      entries: [{ binding: 0, resource: { buffer: this.#buffer, size: slotBytes } }],
    });
  }

  get full(): boolean {
    return this.#offsets.size === slots;
  }

  /** Where the words are, written ahead of all commands that are not submitted yet. */
  place(words: readonly number[]): number {
    const key = words.join();
    let offset = this.#offsets.get(key);
    if (offset === undefined) {
      offset = this.#offsets.size * slotBytes;
      this.#words.fill(0);
      this.#words.set(words);
      this.device.queue.writeBuffer(this.#buffer, offset, this.#words);
      this.#offsets.set(key, offset);
    }
    return offset;
  }

  /** Forgets all words; only when no command that refers to them is waiting to be submitted. */
  reset(): void {
    this.#offsets.clear();
  }

  destroy(): void {
    this.#buffer.destroy();
  }
}
