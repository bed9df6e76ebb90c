import { OutOfMemoryError } from '../../errors.js';
import { HEAP } from './protocol.js';

const PAGE = 65536;
/** Blocks begin on cache lines; the extra line lets vector loads run past the end. */
const ALIGN = 64;
const SLACK = 64;
const MAX_PAGES = 65536;
/** Growing by this much at a time keeps growth rare without claiming much more than is used. */
const GROWTH = 16 << 20;

interface FreeBlock {
  address: number;
  size: number;
  /** Commands up to this number may still touch the block. */
  freedAt: number;
}

export interface Block {
  readonly address: number;
  readonly size: number;
}

/**
 * The memory of the CPU device: one WebAssembly memory, best-fit allocation with coalescing. A block freed while
 * commands that use it are still queued may be reused at once by later commands, since the queue runs in order; the
 * host, which writes at once, only gets blocks that no queued command touches.
 */
export class Heap {
  readonly memory: WebAssembly.Memory;
  readonly shared: boolean;
  readonly #free: FreeBlock[] = [];
  #end = HEAP;
  #used = 0;
  #bytes: Uint8Array;

  constructor() {
    const initial = Math.ceil((HEAP + GROWTH) / PAGE);
    this.memory = createMemory(initial);
    this.shared = !(this.memory.buffer instanceof ArrayBuffer);
    this.#bytes = new Uint8Array(this.memory.buffer);
  }

  /** The whole memory, refreshed after growth. */
  get bytes(): Uint8Array {
    if (this.#bytes.buffer !== this.memory.buffer) this.#bytes = new Uint8Array(this.memory.buffer);
    return this.#bytes;
  }

  get used(): number {
    return this.#used;
  }

  get reserved(): number {
    return this.memory.buffer.byteLength;
  }

  /**
   * @param completed number of the last command that is done; give `Infinity` where only queued commands will write.
   * @throws OutOfMemoryError when the memory cannot grow far enough.
   */
  allocate(bytes: number, completed: number): Block {
    const size = Math.ceil((bytes + SLACK) / ALIGN) * ALIGN;
    let best = -1;
    for (let i = 0; i < this.#free.length; i++) {
      const block = this.#free[i]!;
      if (block.size < size || block.freedAt > completed) continue;
      if (best < 0 || block.size < this.#free[best]!.size) best = i;
    }
    const address = best < 0 ? this.#extend(size, bytes, completed) : this.#take(best, size);
    this.#used += size;
    return { address, size };
  }

  /** @param sequence number of the last command that was enqueued. */
  release({ address, size }: Block, sequence: number): void {
    this.#used -= size;
    const free = this.#free;
    let at = 0;
    for (let high = free.length; at < high;) {
      const middle = (at + high) >> 1;
      if (free[middle]!.address < address) at = middle + 1;
      else high = middle;
    }
    const block = { address, size, freedAt: sequence };
    const next = free[at];
    if (next && address + size === next.address) {
      block.size += next.size;
      block.freedAt = Math.max(block.freedAt, next.freedAt);
      free.splice(at, 1);
    }
    const previous = free[at - 1];
    if (previous && previous.address + previous.size === address) {
      previous.size += block.size;
      previous.freedAt = Math.max(previous.freedAt, block.freedAt);
    } else {
      free.splice(at, 0, block);
    }
  }

  #take(index: number, size: number): number {
    const block = this.#free[index]!;
    const { address } = block;
    if (block.size === size) this.#free.splice(index, 1);
    else {
      block.address += size;
      block.size -= size;
    }
    return address;
  }

  #extend(size: number, bytes: number, completed: number): number {
    const last = this.#free.at(-1);
    const joins = last && last.address + last.size === this.#end && last.freedAt <= completed;
    const address = joins ? last.address : this.#end;
    const end = address + size;
    if (end > this.reserved) {
      const want = Math.min(MAX_PAGES, Math.ceil(Math.max(end, this.reserved + GROWTH) / PAGE));
      const pages = Math.ceil(end / PAGE) > MAX_PAGES ? -1 : want - this.reserved / PAGE;
      if (pages < 0 || !this.#grow(pages, Math.ceil(end / PAGE) - this.reserved / PAGE)) {
        throw new OutOfMemoryError(
          bytes,
          MAX_PAGES * PAGE - this.#used,
          `wasm: ${bytes} bytes do not fit the WebAssembly memory (${this.#used} bytes in use, at most ${MAX_PAGES * PAGE}); use a smaller input or batch, or dispose of tensors that are no longer needed`,
        );
      }
    }
    if (joins) this.#free.pop();
    this.#end = end;
    return address;
  }

  #grow(pages: number, least: number): boolean {
    for (const count of [pages, least]) {
      try {
        this.memory.grow(count);
        return true;
      } catch {
        // The engine gives no reason; a smaller request may fit.
      }
    }
    return false;
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
