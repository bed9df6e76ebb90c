/** A block of a plan and the commands that may use it: from `from` up to, not including, `to`. */
export interface PlannedUse {
  readonly size: number;
  readonly from: number;
  to: number;
}

/**
 * Places blocks whose lifetimes are known so that blocks which are alive at the same time do not overlap: the largest
 * first, each at the lowest place that is free during its life. Gives the addresses and the size of it all.
 */
export function placeBlocks(blocks: readonly PlannedUse[]): {
  readonly addresses: readonly number[];
  readonly size: number;
} {
  const addresses = new Array<number>(blocks.length).fill(0);
  const placed: number[] = [];
  let total = 0;
  const order = blocks.map((_, i) => i).sort((a, b) => blocks[b]!.size - blocks[a]!.size || a - b);
  for (const index of order) {
    const { size, from, to } = blocks[index]!;
    let address = 0;
    // `placed` is sorted by address, so that the first gap that is wide enough is the lowest.
    for (const other of placed) {
      const use = blocks[other]!;
      if (use.from >= to || from >= use.to) continue;
      if (addresses[other]! - address >= size) break;
      address = Math.max(address, addresses[other]! + use.size);
    }
    addresses[index] = address;
    const at = placed.findIndex((other) => addresses[other]! > address);
    placed.splice(at < 0 ? placed.length : at, 0, index);
    total = Math.max(total, address + size);
  }
  return { addresses, size: total };
}
