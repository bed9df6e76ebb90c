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

/** `to = to + factor · from` over `count` elements; `fresh` takes what was there for 0. */
// @ts-ignore: decorator
@inline
export function accumulate(to: usize, from: usize, factor: f32, count: i32, fresh: bool): void {
  const factors = f32x4.splat(factor);
  const end = to + ((<usize>count & ~3) << 2);
  const tail = count & 3;
  if (fresh) {
    for (; to < end; to += 16) {
      v128.store(to, f32x4.mul(v128.load(from), factors));
      from += 16;
    }
    if (tail) storeFirst(to, f32x4.mul(v128.load(from), factors), tail);
    return;
  }
  for (; to < end; to += 16) {
    v128.store(to, madd(v128.load(from), factors, v128.load(to)));
    from += 16;
  }
  if (tail) storeFirst(to, madd(v128.load(from), factors, v128.load(to)), tail);
}

/** Elements of a row that are added up at a time, so that they stay in the nearest cache. */
// @ts-ignore: decorator
@inline
export const piece: i32 = 2048;

/**
 * The adjoint of `resizeBilinear`, one row of gx at a time: first the rows of gy that read it are added up into a row of the
 * thread's own, then its pixels.
 *
 * args: 0 gy, 1 gx, 2 height of gx, 3 width of gx, 4 channels, 5 height of gy, 6 width of gy, 7 rows of all images of gx,
 * 8 rows per chunk, 9 scratch, 10 bytes of it per thread: a row of gy, rounded up to 16.
 */
export function resizeBilinearGradient(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 2);
  const width = word(args, 3);
  const channels = word(args, 4);
  const rows = word(args, 5);
  const columns = word(args, 6);
  const perChunk = word(args, 8);
  const pixel = <usize>channels << 2;
  const line = columns * channels;
  const sums = address(args, 9) + <usize>thread * address(args, 10);
  const last = min(word(args, 7), (chunk + 1) * perChunk);
  for (let row = chunk * perChunk; row < last; row++) {
    const n = row / height;
    const y = row - n * height;
    const first = firstReader(y, height, rows);
    const end = lastReader(y, height, rows);
    let fresh = true;
    for (let at = 0; at < line; at += piece) {
      fresh = true;
      for (let o = first; o < end; o++) {
        const factor = readerWeight(o, y, height, rows);
        if (factor == 0) continue;
        const from = address(args, 0) + ((<usize>(n * rows + o) * line + at) << 2);
        accumulate(sums + (<usize>at << 2), from, factor, min(piece, line - at), fresh);
        fresh = false;
      }
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
        accumulate(gx, sums + <usize>o * pixel, factor, channels, empty);
        empty = false;
      }
      if (empty) memory.fill(gx, 0, pixel);
      gx += pixel;
    }
  }
}

/**
 * The adjoint of `adaptiveAvgPool2d`, pixel by pixel of gx. args: 0 gy, 1 gx, 2 height of gx, 3 width of gx, 4 channels,
 * 5 height of gy, 6 width of gy, 7 pixels of all images of gx, 8 pixels per chunk.
 */
export function adaptiveAvgPool2dGradient(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 2);
  const width = word(args, 3);
  const channels = word(args, 4);
  const rows = word(args, 5);
  const columns = word(args, 6);
  const perChunk = word(args, 8);
  const last = min(word(args, 7), (chunk + 1) * perChunk);
  for (let at = chunk * perChunk; at < last; at++) {
    const x = at % width;
    const y = (at / width) % height;
    const n = at / width / height;
    const rowEnd = ((y + 1) * rows + height - 1) / height;
    const columnEnd = ((x + 1) * columns + width - 1) / width;
    const to = address(args, 1) + (<usize>(at * channels) << 2);
    let fresh = true;
    for (let row = (y * rows) / height; row < rowEnd; row++) {
      const tall = ((row + 1) * height + rows - 1) / rows - (row * height) / rows;
      for (let column = (x * columns) / width; column < columnEnd; column++) {
        const wide = ((column + 1) * width + columns - 1) / columns - (column * width) / columns;
        const from = address(args, 0) + (<usize>(((n * rows + row) * columns + column) * channels) << 2);
        accumulate(to, from, <f32>1 / <f32>(tall * wide), channels, fresh);
        fresh = false;
      }
    }
  }
}
