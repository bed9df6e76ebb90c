/** Elements of a block: few enough to stay in a core's cache between two passes. */
const blockElements = 16384;

/**
 * How sums over rows are split: `perBlock` rows each are added up in f32, the blocks in f64. It depends on the shape alone, so
 * that results do not depend on the number of threads.
 */
export function blocksOf(rows: number, channels: number): { readonly perBlock: number; readonly blocks: number } {
  const perBlock = Math.min(64, Math.max(8, Math.floor(blockElements / channels)));
  return { perBlock, blocks: Math.ceil(rows / perBlock) };
}

/** Channels rounded up to whole vectors. */
export const padded = (channels: number): number => Math.ceil(channels / 4) * 4;
