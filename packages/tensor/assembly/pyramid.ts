import { epilogue, startingBias } from './gemm-epilogue';
import { advance, entryBytes, get, planeBytes, ringLine, set, stateBytes, tabulateColumns, upper } from './pyramid-level';
import { segmentBytes, tileRows } from './gemm-tile';
import { address, madd, word } from './simd';
import { lower, source, weight } from './spatial-resize';

/*
 * Adds to a 3×3 convolution (padding 1) of one map what coarser maps, upsampled bilinearly to its size, contribute, and
 * applies the epilogue. Upsampling works channel by channel and so commutes with the mixing of channels:
 *
 *     conv(up(x)) = Σ_taps shift_tap(up(W_tap · x))
 *
 * The products are nine per pixel of the coarse map, instead of nine per pixel of the result. The shifts and upsampling
 * that follow are separable: for each row of the coarse map, the three kx are combined with the horizontal interpolation
 * (pyramid-level.ts); for each row of the result, the three ky with the vertical one. Taps outside of the result's frame
 * are left out, which is the zero padding of the map that is never built.
 *
 * A chunk is a rectangle of the result × a block of outputs, so that all its buffers stay in the cache. `y` holds the
 * convolution of the finest map and receives the result.
 *
 * Argument words:
 *      0 y   1 height  2 width  3 outputs   4 panels per block
 *      5 rows per chunk   6 columns per chunk   7 row chunks   8 column chunks   9 blocks of outputs
 *     10 scratch  11 its bytes per thread  12 levels  13 – 17 epilogue
 *  then for each level: x, packed weights, height, width, channels, rows per group, rows of the ring, columns of the level
 *        in a chunk at most, place of its scratch in that of the thread
 */

// @ts-ignore: decorator
@inline
const epilogueAt: i32 = 13;

export function pyramid(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 1);
  const width = word(args, 2);
  const outputs = word(args, 3);
  const perBlock = word(args, 4);
  const blocks = word(args, 9);
  const block = chunk % blocks;
  chunk /= blocks;
  const columnChunks = word(args, 8);
  const x0 = (chunk % columnChunks) * word(args, 6);
  chunk /= columnChunks;
  const rowChunks = word(args, 7);
  const y0 = (chunk % rowChunks) * word(args, 5);
  const image = chunk / rowChunks;
  const y1 = min(y0 + word(args, 5), height);
  const columns = min(word(args, 6), width - x0);
  const channel = block * perBlock * 8;
  const channels = min(perBlock * 8, outputs - channel);

  const sums = address(args, 10) + (<usize>thread) * address(args, 11);
  const levels = word(args, 12);
  const pixel = (<usize>perBlock) << 5;
  const bytes = (<usize>columns) * pixel;
  for (let level = 0; level < levels; level++) {
    startLevel(args, args + 4 * 18 + (<usize>level) * 36, sums, image, block, y0, y1, x0, columns);
  }

  const step = (<usize>outputs) << 2;
  const bias = startingBias(args, epilogueAt);
  let offset = (<usize>((image * height + y0) * width + x0)) * step + ((<usize>channel) << 2);
  for (let y = y0; y < y1; y++) {
    const target = address(args, 0) + offset;
    gather(sums, target, step, columns, pixel, bias ? bias + ((<usize>channel) << 2) : 0);
    let words = args + 4 * 18;
    for (let level = 0; level < levels; level++) {
      addRow(sums + address(words, 8), sums, bytes, y, height);
      words += 36;
    }
    epilogue(args, epilogueAt, sums, pixel, target, step, columns, channels, channel, offset);
    offset += (<usize>width) * step;
  }
}

// @ts-ignore: decorator
@inline
function aligned(bytes: usize): usize {
  return (bytes + 63) & ~63;
}

/** Prepares a level for a chunk; see pyramid-level.ts for the state. */
function startLevel(
  args: usize, words: usize, scratch: usize, image: i32, block: i32, y0: i32, y1: i32, x0: i32, columns: i32,
): void {
  const height = word(args, 1);
  const width = word(args, 2);
  const outputs = word(args, 3);
  const perBlock = word(args, 4);
  const h = word(words, 2);
  const w = word(words, 3);
  const channels = word(words, 4);
  const group = word(words, 5);
  const most = word(words, 7);
  const state = scratch + address(words, 8);
  const panels = (outputs + 7) >> 3;
  const blockBytes = (<usize>(9 * perBlock * channels)) << 5;
  const firstRow = lower(source(max(y0 - 1, 0), h, height), h);
  const lastRow = upper(lower(source(min(y1, height - 1), h, height), h), h);
  const firstColumn = lower(source(max(x0 - 1, 0), w, width), w);
  const lastColumn = upper(lower(source(min(x0 + columns, width - 1), w, width), w), w);
  set(state, 0, firstRow);
  set(state, 1, firstRow);
  set(state, 2, firstRow);
  set(state, 3, lastRow);
  set(state, 4, firstColumn);
  set(state, 5, lastColumn - firstColumn + 1);
  set(state, 6, word(words, 0) + ((image * h * w * channels) << 2));
  set(state, 7, word(words, 1) + block * <i32>blockBytes);
  set(state, 8, h);
  set(state, 9, w);
  set(state, 10, channels);
  set(state, 11, group);
  set(state, 12, word(words, 6));
  const table = state + stateBytes;
  const segments = table + aligned((<usize>word(args, 6)) * entryBytes);
  const products = segments + aligned((<usize>(group * ((most + tileRows - 1) / tileRows))) * (4 + segmentBytes));
  set(state, 13, <i32>table);
  set(state, 14, <i32>segments);
  set(state, 15, <i32>products);
  set(state, 16, <i32>(products + ((<usize>(group * most * 9 * perBlock)) << 5)));
  set(state, 17, perBlock);
  set(state, 18, min(perBlock, panels - block * perBlock));
  set(state, 19, columns);
  set(state, 20, word(words, 1) + word(args, 9) * <i32>blockBytes);
  tabulateColumns(state, x0, width);
}

/** Copies a row of the block's outputs, each pixel `step` bytes after the one before it, and adds the bias. */
function gather(to: usize, from: usize, step: usize, columns: i32, pixel: usize, bias: usize): void {
  do {
    let at: usize = 0;
    do {
      const value = v128.load(from + at);
      v128.store(to + at, bias ? f32x4.add(value, v128.load(bias + at)) : value);
      at += 16;
    } while (at != pixel);
    from += step;
    to += pixel;
  } while (--columns);
}

/** Adds a level's part of row `y`. */
function addRow(state: usize, to: usize, bytes: usize, y: i32, height: i32): void {
  const h = get(state, 8);
  advance(state, upper(lower(source(min(y + 1, height - 1), h, height), h), h));
  const plane = planeBytes(state);
  if (y > 0 && y + 1 < height) {
    const p0 = source(y - 1, h, height);
    const p1 = source(y, h, height);
    const p2 = source(y + 1, h, height);
    const i0 = lower(p0, h);
    const i1 = lower(p1, h);
    const i2 = lower(p2, h);
    addSix(
      to, bytes,
      ringLine(state, i0), ringLine(state, upper(i0, h)), weight(p0, i0),
      ringLine(state, i1) + plane, ringLine(state, upper(i1, h)) + plane, weight(p1, i1),
      ringLine(state, i2) + 2 * plane, ringLine(state, upper(i2, h)) + 2 * plane, weight(p2, i2),
    );
    return;
  }
  for (let ky = 0; ky < 3; ky++) {
    if (<u32>(y + ky - 1) >= <u32>height) continue;
    const p = source(y + ky - 1, h, height);
    const i = lower(p, h);
    const shift = (<usize>ky) * plane;
    addTwo(to, bytes, ringLine(state, i) + shift, ringLine(state, upper(i, h)) + shift, weight(p, i));
  }
}

function addTwo(to: usize, bytes: usize, a: usize, b: usize, w: f32): void {
  const wb = f32x4.splat(w);
  const wa = f32x4.splat(<f32>1 - w);
  let at: usize = 0;
  do {
    const sum = madd(wa, v128.load(a + at), v128.load(to + at));
    v128.store(to + at, madd(wb, v128.load(b + at), sum));
    at += 16;
  } while (at != bytes);
}

function addSix(
  to: usize, bytes: usize,
  a0: usize, b0: usize, w0: f32, a1: usize, b1: usize, w1: f32, a2: usize, b2: usize, w2: f32,
): void {
  const wb0 = f32x4.splat(w0);
  const wa0 = f32x4.splat(<f32>1 - w0);
  const wb1 = f32x4.splat(w1);
  const wa1 = f32x4.splat(<f32>1 - w1);
  const wb2 = f32x4.splat(w2);
  const wa2 = f32x4.splat(<f32>1 - w2);
  let at: usize = 0;
  do {
    let sum = madd(wa0, v128.load(a0 + at), v128.load(to + at));
    sum = madd(wb0, v128.load(b0 + at), sum);
    sum = madd(wa1, v128.load(a1 + at), sum);
    sum = madd(wb1, v128.load(b1 + at), sum);
    sum = madd(wa2, v128.load(a2 + at), sum);
    v128.store(to + at, madd(wb2, v128.load(b2 + at), sum));
    at += 16;
  } while (at != bytes);
}
