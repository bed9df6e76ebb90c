import { OutOfMemoryError } from '../../errors.js';
import { AddressSpace, type Block } from './address-space.js';
import { HEAP } from './protocol.js';

const PAGE = 65536;
const MAX_PAGES = 65536;
/** Growing by this much at a time keeps growth rare without claiming much more than is used. */
const GROWTH = 16 << 20;

/**
 * The memory of the CPU device: one WebAssembly memory. A block freed while commands that use it are still queued may
 * be reused at once by later commands, since the queue runs in order; the host, which writes at once, only gets blocks
 * that no queued command touches.
 */
export class Heap {
  readonly memory: WebAssembly.Memory;
  readonly shared: boolean;
  readonly #space: AddressSpace;
  #bytes: Uint8Array;

  constructor() {
    const initial = Math.ceil((HEAP + GROWTH) / PAGE);
    this.memory = createMemory(initial);
    this.shared = !(this.memory.buffer instanceof ArrayBuffer);
    this.#space = new AddressSpace(HEAP, (end, bytes) => this.#growTo(end, bytes));
    this.#bytes = new Uint8Array(this.memory.buffer);
  }

  /** The whole memory, refreshed after growth. */
  get bytes(): Uint8Array {
    if (this.#bytes.buffer !== this.memory.buffer) this.#bytes = new Uint8Array(this.memory.buffer);
    return this.#bytes;
  }

  get used(): number {
    return this.#space.used;
  }

  get reserved(): number {
    return this.memory.buffer.byteLength;
  }

  /**
   * @param completed number of the last command that is done; give `Infinity` where only queued commands will write.
   * @throws OutOfMemoryError when the memory cannot grow far enough.
   */
  allocate(bytes: number, completed: number): Block {
    return this.#space.allocate(bytes, completed);
  }

  /** @param sequence number of the last command that was enqueued. */
  release(block: Block, sequence: number): void {
    this.#space.release(block, sequence);
  }

  #growTo(end: number, bytes: number): void {
    if (end <= this.reserved) return;
    const least = Math.ceil(end / PAGE);
    const wanted = Math.min(MAX_PAGES, Math.ceil(Math.max(end, this.reserved + GROWTH) / PAGE));
    if (least <= MAX_PAGES) {
      for (const pages of [wanted, least]) {
        try {
          this.memory.grow(pages - this.reserved / PAGE);
          return;
        } catch {
          // The engine gives no reason; the smaller request may fit.
        }
      }
    }
    throw new OutOfMemoryError(
      bytes,
      MAX_PAGES * PAGE - this.used,
      `wasm: ${bytes} bytes do not fit the WebAssembly memory (${this.used} bytes in use, at most ${MAX_PAGES * PAGE}); use a smaller input or batch, or dispose of tensors that are no longer needed`,
    );
  }
}

/** Shared where the platform allows it. Some platforms refuse to set aside the whole 4 GiB of addresses. */
function createMemory(initial: number): WebAssembly.Memory {
  for (const maximum of [MAX_PAGES, MAX_PAGES / 2, MAX_PAGES / 4]) {
    try {
      return new WebAssembly.Memory({ initial, maximum, shared: true });
    } catch {
      continue;
    }
  }
  return new WebAssembly.Memory({ initial, maximum: MAX_PAGES });
}
