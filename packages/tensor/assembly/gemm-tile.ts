import { tileOfFive } from './gemm-tile-five';
import { tileOfSix } from './gemm-tile-six';

/*
 * The micro-kernel: `c[rows × 8] (+)= a · b` with the accumulators in registers. With more than 5 rows V8 before
 * version 13 spills them and takes 1.6 times as long; from 13 on 6 rows are 2 to 5 % faster. Where V8 joins vectors to 256 bits,
 * two panels at once give it enough sums to hide the latency of an addition. The tile is fixed when the library is
 * compiled.
 *
 * The rows of `a` come in segments, so that they may jump (the taps of a convolution): a segment is its length, then
 * the address of each row's run. `b` is a panel `[K, 8]` that runs on through the segments.
 */

/** Rows of a tile. */
// @ts-ignore: decorator
@inline
export const tileRows: i32 = TILE_ROWS;

/** Panels that the product takes at once where it can, by `tilePair` of gemm-tile-pair.ts: 1 or 2. */
// @ts-ignore: decorator
@inline
export const tilePanels: i32 = TILE_PANELS;

/** Bytes of a segment: length and one address per row. */
// @ts-ignore: decorator
@inline
export const segmentBytes: usize = 4 + 4 * TILE_ROWS;

/**
 * Computes one tile over `count` ≥ 1 segments of length ≥ 1. Rows from `rows` on must repeat the last one: they
 * compute and store the same values again. `start` is the address of 8 values to start each row from, or 0 to start
 * from `c`; `pitch` is the distance of the rows of `c` in bytes.
 */
// @ts-ignore: decorator
@inline
export function tile(segments: usize, count: i32, b: usize, c: usize, pitch: usize, rows: i32, start: usize): void {
  if (TILE_ROWS == 6) tileOfSix(segments, count, b, c, pitch, rows, start);
  else tileOfFive(segments, count, b, c, pitch, rows, start);
}
