import { tileOfSix } from './gemm-tile-six';
import { madd } from './simd';

/*
 * The micro-kernel: `c[rows × 8] (+)= a · b` with the accumulators in registers. With more than 4 rows V8 before
 * version 13 spills them and takes twice as long; from 13 on 6 rows are 10 to 20 % faster. Where V8 joins vectors to
 * 256 bits, two panels at once give it enough sums to hide the latency of an addition. The tile is fixed when the
 * library is compiled.
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
  else tileOfFour(segments, count, b, c, pitch, rows, start);
}

function tileOfFour(segments: usize, count: i32, b: usize, c: usize, pitch: usize, rows: i32, start: usize): void {
  const c1 = c + (<usize>min(1, rows - 1)) * pitch;
  const c2 = c + (<usize>min(2, rows - 1)) * pitch;
  const c3 = c + (<usize>min(3, rows - 1)) * pitch;
  const i0 = start ? start : c;
  const i1 = start ? start : c1;
  const i2 = start ? start : c2;
  const i3 = start ? start : c3;
  let l0 = v128.load(i0);
  let r0 = v128.load(i0, 16);
  let l1 = v128.load(i1);
  let r1 = v128.load(i1, 16);
  let l2 = v128.load(i2);
  let r2 = v128.load(i2, 16);
  let l3 = v128.load(i3);
  let r3 = v128.load(i3, 16);
  do {
    const end = (<usize>load<u32>(segments)) << 2;
    const a0 = <usize>load<u32>(segments, 4);
    const a1 = <usize>load<u32>(segments, 8);
    const a2 = <usize>load<u32>(segments, 12);
    const a3 = <usize>load<u32>(segments, 16);
    segments += segmentBytes;
    let k: usize = 0;
    do {
      const left = v128.load(b);
      const right = v128.load(b, 16);
      const s0 = v128.load32_splat(a0 + k);
      l0 = madd(s0, left, l0);
      r0 = madd(s0, right, r0);
      const s1 = v128.load32_splat(a1 + k);
      l1 = madd(s1, left, l1);
      r1 = madd(s1, right, r1);
      const s2 = v128.load32_splat(a2 + k);
      l2 = madd(s2, left, l2);
      r2 = madd(s2, right, r2);
      const s3 = v128.load32_splat(a3 + k);
      l3 = madd(s3, left, l3);
      r3 = madd(s3, right, r3);
      k += 4;
      b += 32;
    } while (k != end);
  } while (--count);
  v128.store(c, l0);
  v128.store(c, r0, 16);
  v128.store(c1, l1);
  v128.store(c1, r1, 16);
  v128.store(c2, l2);
  v128.store(c2, r2, 16);
  v128.store(c3, l3);
  v128.store(c3, r3, 16);
}
