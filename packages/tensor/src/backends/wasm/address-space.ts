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
  /** Whether the host wrote it, rather than a command. */
  readonly host?: boolean;
}

/**
 * Best-fit allocation with coalescing over a range of addresses that grows at its end. A block remembers the number of
 * the command at which it was freed, so that the host can leave alone what queued commands still use.
 *
 * Blocks that the host wrote are kept apart when they are freed, for the host's next writes. Among the others one would
 * at once be taken by a command or joined with a block that is in use longer; with work always queued, as in training,
 * the host would find none and the space would grow with every write.
 */
export class AddressSpace {
  readonly #free: FreeBlock[] = [];
  /** Freed blocks that the host wrote, in no order, not joined. */
  #hostFree: FreeBlock[] = [];
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

  /**
   * @param completed number of the last command that is done: the host will write, and blocks freed later are left
   *   alone. Default: a command will write, which any freed block is good for.
   */
  allocate(bytes: number, completed = Infinity): Block {
    const size = blockSize(bytes);
    const host = completed !== Infinity;
    if (host) {
      const again = this.#hostFree.findIndex((block) => block.size === size && block.freedAt <= completed);
      if (again >= 0) {
        this.#used += size;
        return { ...{ address: this.#hostFree.splice(again, 1)[0]!.address, size }, host };
      }
      this.#join(completed);
    }
    let best = this.#find(size, completed);
    // Commands may wait for what the host wrote, too, before the space grows.
    if (best < 0 && !host && this.#hostFree.length > 0) {
      this.#join(Infinity);
      best = this.#find(size, completed);
    }
    const address = best < 0 ? this.#append(size, bytes, completed) : this.#take(best, size);
    this.#used += size;
    return host ? { address, size, host } : { address, size };
  }

  /** @param sequence number of the last command that was enqueued. */
  release({ address, size, host }: Block, sequence = 0): void {
    this.#used -= size;
    if (host) this.#hostFree.push({ address, size, freedAt: sequence });
    else this.#put({ address, size, freedAt: sequence });
  }

  /** The smallest block that is large enough; -1 for none. */
  #find(size: number, completed: number): number {
    let best = -1;
    for (let i = 0; i < this.#free.length; i++) {
      const block = this.#free[i]!;
      if (block.size < size || block.freedAt > completed) continue;
      if (best < 0 || block.size < this.#free[best]!.size) best = i;
    }
    return best;
  }

  /** Puts those blocks of the host among the others that no command up to `completed` touches. */
  #join(completed: number): void {
    const kept: FreeBlock[] = [];
    for (const block of this.#hostFree) {
      if (block.freedAt <= completed) this.#put(block);
      else kept.push(block);
    }
    this.#hostFree = kept;
  }

  #put({ address, size, freedAt }: FreeBlock): void {
    const free = this.#free;
    let at = 0;
    for (let high = free.length; at < high;) {
      const middle = (at + high) >> 1;
      if (free[middle]!.address < address) at = middle + 1;
      else high = middle;
    }
    const block = { address, size, freedAt };
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
