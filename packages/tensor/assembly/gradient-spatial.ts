import { lower, source, weight } from './spatial-resize';
import { address, madd, storeFirst, word } from './simd';

/** The first output position that may read input position `i`. */
// @ts-ignore: decorator
@inline
export function firstReader(i: i32, input: i32, output: i32): i32 {
  if (i == 0) return 0;
  return max(<i32>Math.floor(((<f64>i - 0.5) * <f64>output) / <f64>input - 0.5), 0);
}

/** The end of the output positions that may read input position `i`. */
// @ts-ignore: decorator
@inline
export function lastReader(i: i32, input: i32, output: i32): i32 {
  if (i == input - 1) return output;
  return min(<i32>Math.ceil(((<f64>i + 1.5) * <f64>output) / <f64>input - 0.5) + 1, output);
}

/** The weight with which output position `o` reads input position `i`; often 0 at the ends of the range of readers. */
// @ts-ignore: decorator
@inline
export function readerWeight(o: i32, i: i32, input: i32, output: i32): f32 {
  const position = source(o, input, output);
  const low = lower(position, input);
  const upper = weight(position, low);
  const high = min(low + 1, input - 1);
  return (low == i ? <f32>1 - upper : <f32>0) + (high == i ? upper : <f32>0);
}

/** `to = to + factor · from` over `bytes`, a multiple of 16; `fresh` takes what was there for 0. */
// @ts-ignore: decorator
@inline
function accumulate(to: usize, from: usize, factor: f32, bytes: usize, fresh: bool): void {
  const factors = f32x4.splat(factor);
  if (fresh) {
    for (let at: usize = 0; at < bytes; at += 16) v128.store(to + at, f32x4.mul(v128.load(from + at), factors));
  } else {
    for (let at: usize = 0; at < bytes; at += 16) {
      v128.store(to + at, madd(v128.load(from + at), factors, v128.load(to + at)));
    }
  }
}

/**
 * The adjoint of `resizeBilinear`, one row of gx at a time: first the rows of gy that read it are added up into a row of the
 * thread's own, then its pixels.
 *
 * args: 0 gy, 1 gx, 2 height of gx, 3 width of gx, 4 channels, 5 height of gy, 6 width of gy, 7 rows of all images of gx,
 * 8 rows per chunk, 9 scratch, 10 bytes of it per thread: a row of gy, rounded up to 16, and 16 more.
 */
export function resizeBilinearGradient(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 2);
  const width = word(args, 3);
  const channels = word(args, 4);
  const rows = word(args, 5);
  const columns = word(args, 6);
  const perChunk = word(args, 8);
  const pixel = <usize>channels << 2;
  const tail = channels & 3;
  const full = pixel & ~15;
  const line = <usize>columns * pixel;
  const wide = (line + 15) & ~15;
  const sums = address(args, 9) + <usize>thread * address(args, 10);
  const last = min(word(args, 7), (chunk + 1) * perChunk);
  for (let row = chunk * perChunk; row < last; row++) {
    const n = row / height;
    const y = row - n * height;
    const end = lastReader(y, height, rows);
    let fresh = true;
    for (let o = firstReader(y, height, rows); o < end; o++) {
      const factor = readerWeight(o, y, height, rows);
      if (factor == 0) continue;
      accumulate(sums, address(args, 0) + <usize>(n * rows + o) * line, factor, wide, fresh);
      fresh = false;
    }
    let gx = address(args, 1) + <usize>row * <usize>width * pixel;
    if (fresh) {
      memory.fill(gx, 0, <usize>width * pixel);
      continue;
    }
    for (let x = 0; x < width; x++) {
      const stop = lastReader(x, width, columns);
      let empty = true;
      for (let o = firstReader(x, width, columns); o < stop; o++) {
        const factor = readerWeight(o, x, width, columns);
        if (factor == 0) continue;
        const from = sums + <usize>o * pixel;
        accumulate(gx, from, factor, full, empty);
        if (tail) {
          const part = f32x4.mul(v128.load(from + full), f32x4.splat(factor));
          storeFirst(gx + full, empty ? part : f32x4.add(part, v128.load(gx + full)), tail);
        }
        empty = false;
      }
      if (empty) memory.fill(gx, 0, pixel);
      gx += pixel;
    }
  }
}

/**
 * The adjoint of `adaptiveAvgPool2d`: a unit is four channels of one pixel of gx, the channels fastest. args: 0 gy, 1 gx,
 * 2 height of gx, 3 width of gx, 4 channels, 5 height of gy, 6 width of gy, 7 units, 8 units per chunk.
 */
export function adaptiveAvgPool2dGradient(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 2);
  const width = word(args, 3);
  const channels = word(args, 4);
  const rows = word(args, 5);
  const columns = word(args, 6);
  const perChunk = word(args, 8);
  const blocks = (channels + 3) >> 2;
  const last = min(word(args, 7), (chunk + 1) * perChunk);
  for (let unit = chunk * perChunk; unit < last; unit++) {
    const at = unit / blocks;
    const channel = (unit - at * blocks) << 2;
    const x = at % width;
    const y = (at / width) % height;
    const n = at / width / height;
    const rowEnd = ((y + 1) * rows + height - 1) / height;
    const columnEnd = ((x + 1) * columns + width - 1) / width;
    let total = f32x4.splat(0);
    for (let row = (y * rows) / height; row < rowEnd; row++) {
      const tall = ((row + 1) * height + rows - 1) / rows - (row * height) / rows;
      for (let column = (x * columns) / width; column < columnEnd; column++) {
        const wide = ((column + 1) * width + columns - 1) / columns - (column * width) / columns;
        const from = address(args, 0) + (<usize>(((n * rows + row) * columns + column) * channels + channel) << 2);
        total = f32x4.add(total, f32x4.div(v128.load(from), f32x4.splat(<f32>(tall * wide))));
      }
    }
    storeFirst(address(args, 1) + ((<usize>at * channels + channel) << 2), total, channels - channel);
  }
}
