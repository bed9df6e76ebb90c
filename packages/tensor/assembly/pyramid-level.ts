import { plainSegments } from './gemm-rows';
import { segmentBytes, tile, tilePanels, tileRows } from './gemm-tile';
import { tilePair } from './gemm-tile-pair';
import { madd } from './simd';
import { lower, source, weight } from './spatial-resize';

/*
 * One level of a convolution over a pyramid (see pyramid.ts) for a block of outputs, in the memory of one thread. Its
 * rows are taken from top to bottom: the products of a few rows at a time with the weights of all nine taps, then, row by
 * row, the horizontal part of upsampling and convolution, kept in a ring of the rows that are still needed.
 *
 * Words of a level's state:
 *      0 next row   1 first row of the products   2 row after them   3 last row of the chunk
 *      4 first column   5 columns   6 x (of the image)   7 packed weights (of the block)
 *      8 height   9 width  10 channels  11 rows per group  12 rows of the ring
 *     13 columns' table  14 segments  15 products  16 ring
 *     17 panels of the block, at most   18 panels   19 columns of the result  20 zeros
 *
 * A product's pixel is `[ky][kx][output]`, a line of the ring `[ky][column][output]`.
 */

/** Bytes of a level's state. */
// @ts-ignore: decorator
@inline
export const stateBytes: usize = 128;

/** Bytes of a column's entry in the table: for each kx, two places in a row of products and their weights. */
// @ts-ignore: decorator
@inline
export const entryBytes: usize = 48;

/** Rows of K that a block of the product takes, at most; those of a tile's panels stay in the first-level cache. */
// @ts-ignore: decorator
@inline
const blockDepth: i32 = 512 / TILE_PANELS;

// @ts-ignore: decorator
@inline
export function get(state: usize, index: i32): i32 {
  return load<i32>(state + ((<usize>index) << 2));
}

// @ts-ignore: decorator
@inline
export function set(state: usize, index: i32, value: i32): void {
  store<i32>(state + ((<usize>index) << 2), value);
}

/** The upper of the two neighbours of which `low` is the lower one. */
// @ts-ignore: decorator
@inline
export function upper(low: i32, size: i32): i32 {
  return min(low + 1, size - 1);
}

/** Bytes of the block's outputs at one pixel. */
// @ts-ignore: decorator
@inline
export function outputBytes(state: usize): usize {
  return (<usize>get(state, 17)) << 5;
}

/** Bytes from one ky of a ring's line to the next; not a power of two, which would crowd a few sets of the cache. */
// @ts-ignore: decorator
@inline
export function planeBytes(state: usize): usize {
  return (<usize>get(state, 19)) * outputBytes(state) + 64;
}

/** Where the ring holds `row`. */
// @ts-ignore: decorator
@inline
export function ringLine(state: usize, row: i32): usize {
  return <usize>get(state, 16) + (<usize>(row % get(state, 12))) * 3 * planeBytes(state);
}

/** Fills the table for the result's columns from `first` on, `width` being the width of the result. */
export function tabulateColumns(state: usize, first: i32, width: i32): void {
  const input = get(state, 9);
  const pixel = 9 * outputBytes(state);
  let entry = <usize>get(state, 13);
  for (let column = first; column < first + get(state, 19); column++) {
    for (let kx = 0; kx < 3; kx++) {
      const x = column + kx - 1;
      const inside = <u32>x < <u32>width;
      // A tap beside the image counts nothing.
      const position = source(inside ? x : column, input, width);
      const low = lower(position, input);
      const w = weight(position, low);
      const tap = (<usize>kx) * outputBytes(state);
      store<usize>(entry, (<usize>(low - get(state, 4))) * pixel + tap);
      store<usize>(entry, (<usize>(upper(low, input) - get(state, 4))) * pixel + tap, 4);
      store<f32>(entry, inside ? <f32>1 - w : 0, 8);
      store<f32>(entry, inside ? w : 0, 12);
      entry += 16;
    }
  }
}

/** Makes sure that the ring holds the rows up to `row`. */
export function advance(state: usize, row: i32): void {
  for (let next = get(state, 0); next <= row; next++) {
    if (next >= get(state, 2)) multiply(state, next);
    combine(state, next);
    set(state, 0, next + 1);
  }
}

/** The products of a group of rows from `first` on. */
function multiply(state: usize, first: i32): void {
  const rows = min(get(state, 11), get(state, 3) + 1 - first);
  const width = get(state, 9);
  const channels = get(state, 10);
  const columns = get(state, 5);
  const perBlock = get(state, 17);
  const panels = get(state, 18);
  const products = <usize>get(state, 15);
  const segments = <usize>get(state, 14);
  const pitch = 9 * outputBytes(state);
  // Whole rows follow each other and count as one.
  const lines = columns == width ? 1 : rows;
  const inLine = columns == width ? rows * columns : columns;
  const rowPitch = (<usize>channels) << 2;
  const linePitch = (<usize>width) * rowPitch;
  const x = <usize>get(state, 6) + (<usize>first) * linePitch + (<usize>get(state, 4)) * rowPitch;
  const stride: usize = 4 + segmentBytes;
  const parts = (channels + blockDepth - 1) / blockDepth;
  const kBlock = ((channels + parts - 1) / parts + 3) & ~3;
  for (let k0 = 0; k0 < channels; k0 += kBlock) {
    const kLength = min(kBlock, channels - k0);
    let at = segments;
    for (let line = 0; line < lines; line++) {
      plainSegments(at, stride, x + (<usize>line) * linePitch + ((<usize>k0) << 2), rowPitch, inLine, kLength);
      at += (<usize>((inLine + tileRows - 1) / tileRows)) * stride;
    }
    const start: usize = k0 ? 0 : <usize>get(state, 20);
    const next: usize = k0 ? 32 : 0;
    for (let tap = 0; tap < 9; tap++) {
      let panel = 0;
      do {
        const paired = tilePanels == 2 && panels - panel >= 2;
        const index = tap * perBlock + panel;
        const b = <usize>get(state, 7) + ((<usize>(index * channels + k0)) << 5);
        let to = products + ((<usize>index) << 5);
        at = segments;
        for (let line = 0; line < lines; line++) {
          for (let row = 0; row < inLine; row += tileRows) {
            if (paired) tilePair(at + 4, 1, b, (<usize>channels) << 5, to, pitch, inLine - row, start, next);
            else tile(at + 4, 1, b, to, pitch, inLine - row, start);
            at += stride;
            to += (<usize>min(tileRows, inLine - row)) * pitch;
          }
        }
        panel += paired ? 2 : 1;
      } while (panel < panels);
    }
  }
  set(state, 1, first);
  set(state, 2, first + rows);
}

/** The horizontal part of row `row`, from its products to the ring. */
function combine(state: usize, row: i32): void {
  const bytes = outputBytes(state);
  const step = planeBytes(state);
  const base = <usize>get(state, 15) + (<usize>((row - get(state, 1)) * get(state, 5))) * 9 * bytes;
  let to = ringLine(state, row);
  let entry = <usize>get(state, 13);
  const end = entry + (<usize>get(state, 19)) * entryBytes;
  do {
    const wl0 = v128.load32_splat(entry, 8);
    const wr0 = v128.load32_splat(entry, 12);
    const wl1 = v128.load32_splat(entry, 24);
    const wr1 = v128.load32_splat(entry, 28);
    const wl2 = v128.load32_splat(entry, 40);
    const wr2 = v128.load32_splat(entry, 44);
    let l0 = base + load<usize>(entry);
    let r0 = base + load<usize>(entry, 4);
    let l1 = base + load<usize>(entry, 16);
    let r1 = base + load<usize>(entry, 20);
    let l2 = base + load<usize>(entry, 32);
    let r2 = base + load<usize>(entry, 36);
    let line = to;
    let left = 3;
    do {
      let at: usize = 0;
      do {
        let sum = f32x4.mul(wl0, v128.load(l0 + at));
        sum = madd(wr0, v128.load(r0 + at), sum);
        sum = madd(wl1, v128.load(l1 + at), sum);
        sum = madd(wr1, v128.load(r1 + at), sum);
        sum = madd(wl2, v128.load(l2 + at), sum);
        sum = madd(wr2, v128.load(r2 + at), sum);
        v128.store(line + at, sum);
        at += 16;
      } while (at != bytes);
      l0 += 3 * bytes;
      r0 += 3 * bytes;
      l1 += 3 * bytes;
      r1 += 3 * bytes;
      l2 += 3 * bytes;
      r2 += 3 * bytes;
      line += step;
    } while (--left);
    to += bytes;
    entry += entryBytes;
  } while (entry != end);
}
