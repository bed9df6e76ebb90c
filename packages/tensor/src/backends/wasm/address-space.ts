/** Blocks begin on cache lines; the extra line lets vector loads run past the end. */
const ALIGN = 64;
const SLACK = 64;

interface FreeBlock {
  address: number;
  size: number;
  /** Commands up to this number may still touch the block. */
  freedAt: number;
}

/** Bytes that a block for `bytes` of data takes. */
export const blockSize = (bytes: number): number => Math.ceil((bytes + SLACK) / ALIGN) * ALIGN;

export interface Block {
  readonly address: number;
  readonly size: number;
}

/**
 * Best-fit allocation with coalescing over a range of addresses that grows at its end. A block remembers the number of
 * the command at which it was freed, so that the host can leave alone what queued commands still use.
 */
export class AddressSpace {
  readonly #free: FreeBlock[] = [];
  #end: number;
  #used = 0;

  /** @param start first address. @param extend called before the space grows to `end`; throws when it cannot. */
  constructor(
    start: number,
    private readonly extend: (end: number, bytes: number) => void = () => {},
  ) {
    this.#end = start;
  }

  /** Bytes of all blocks that are not free. */
  get used(): number {
    return this.#used;
  }

  /** One past the highest address that was ever in use. */
  get end(): number {
    return this.#end;
  }

  /** @param completed number of the last command that is done: blocks freed later than it are left alone. */
  allocate(bytes: number, completed = Infinity): Block {
    const size = blockSize(bytes);
    let best = -1;
    for (let i = 0; i < this.#free.length; i++) {
      const block = this.#free[i]!;
      if (block.size < size || block.freedAt > completed) continue;
      if (best < 0 || block.size < this.#free[best]!.size) best = i;
    }
    const address = best < 0 ? this.#append(size, bytes, completed) : this.#take(best, size);
    this.#used += size;
    return { address, size };
  }

  /** @param sequence number of the last command that was enqueued. */
  release({ address, size }: Block, sequence = 0): void {
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

  /** Takes new addresses, and the free block before them if there is one. */
  #append(size: number, bytes: number, completed: number): number {
    const last = this.#free.at(-1);
    const joins = last && last.address + last.size === this.#end && last.freedAt <= completed;
    const address = joins ? last.address : this.#end;
    this.extend(address + size, bytes);
    if (joins) this.#free.pop();
    this.#end = address + size;
    return address;
  }
}
