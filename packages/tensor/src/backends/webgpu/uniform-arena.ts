import { usage } from './constants.js';
import { maxUniformWords } from './program.js';

const slotBytes = maxUniformWords * Uint32Array.BYTES_PER_ELEMENT;
const slots = 4096;

/** The uniform words of a step, and where they were placed last. */
export class UniformWords {
  /** The filling of the arena that {@link offset} holds for. */
  filling = -1;
  offset = 0;

  constructor(readonly words: readonly number[]) {}
}

/**
 * The uniform words of dispatches: equal words share one slot, so that a model that runs again writes nothing. When the
 * arena is full the commands that refer to it must be submitted before it starts over.
 */
export class UniformArena {
  readonly group: GPUBindGroup;
  readonly bytes = slots * slotBytes;
  readonly #buffer: GPUBuffer;
  readonly #offsets = new Map<string, number>();
  readonly #contents = new Uint32Array(slots * maxUniformWords);
  /** Slots that the buffer has. */
  #written = 0;
  #filling = 0;

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

  /** Places the words, to be written with the next {@link UniformArena.write}. @returns false when there is no room. */
  place(uniforms: UniformWords): boolean {
    if (uniforms.filling === this.#filling) return true;
    const { words } = uniforms;
    const key = words.join();
    let offset = this.#offsets.get(key);
    if (offset === undefined) {
      const slot = this.#offsets.size;
      if (slot === slots) return false;
      this.#contents.fill(0, slot * maxUniformWords, (slot + 1) * maxUniformWords);
      this.#contents.set(words, slot * maxUniformWords);
      offset = slot * slotBytes;
      this.#offsets.set(key, offset);
    }
    uniforms.filling = this.#filling;
    uniforms.offset = offset;
    return true;
  }

  /** Writes what was placed, ahead of all commands that are not submitted yet. */
  write(): void {
    const [from, to] = [this.#written, this.#offsets.size];
    if (from === to) return;
    const [start, end] = [from * maxUniformWords, to * maxUniformWords];
    this.device.queue.writeBuffer(this.#buffer, from * slotBytes, this.#contents, start, end - start);
    this.#written = to;
  }

  /** Forgets all words; only when no command that refers to them is waiting to be submitted. */
  reset(): void {
    this.#offsets.clear();
    this.#written = 0;
    this.#filling++;
  }

  destroy(): void {
    this.#buffer.destroy();
  }
}
