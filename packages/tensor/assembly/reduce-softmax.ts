import { expNormal4 } from './activation';
import { largestLane, sumLanes } from './reduce-lanes';
import { address, storeFirst, word } from './simd';

/** Terms that are added up before the sum moves to the next level, in vectors. */
// @ts-ignore: decorator
@inline
const block: usize = 64;

/**
 * inner is 1. The maximum may miss a NaN: the sum does not, and makes the whole line NaN.
 *
 * args: x, y, lines, lines per chunk, length.
 */
export function softmaxRows(args: usize, chunk: i32, thread: i32): void {
  const length = word(args, 4);
  const perChunk = word(args, 3);
  const last = min(word(args, 2), (chunk + 1) * perChunk);
  const tail = length & 3;
  const mask = i32x4.gt_s(i32x4.splat(tail), i32x4(0, 1, 2, 3));
  const least = f32x4.splat(-Infinity);
  const full = (<usize>(length - tail)) << 2;
  for (let line = chunk * perChunk; line < last; line++) {
    const x = address(args, 0) + ((<usize>line * length) << 2);
    const y = address(args, 1) + ((<usize>line * length) << 2);
    const rest = v128.bitselect(v128.load(x + full), least, mask);
    let largest = rest;
    for (let at: usize = 0; at < full; at += 16) largest = f32x4.pmax(largest, v128.load(x + at));
    largest = largestLane(largest);

    const ending = expNormal4(f32x4.sub(rest, largest));
    let total = v128.and(ending, mask);
    for (let at: usize = 0; at < full; ) {
      const stop = min(full, at + (block << 4));
      let part = f32x4.splat(0);
      do {
        const e = expNormal4(f32x4.sub(v128.load(x + at), largest));
        v128.store(y + at, e);
        part = f32x4.add(part, e);
        at += 16;
      } while (at < stop);
      total = f32x4.add(total, part);
    }

    const share = f32x4.splat(<f32>1 / sumLanes(total));
    for (let at: usize = 0; at < full; at += 16) v128.store(y + at, f32x4.mul(v128.load(y + at), share));
    if (tail) storeFirst(y + full, f32x4.mul(ending, share), tail);
  }
}

/** inner is above 1; a unit is four columns of one outer index. args: x, y, units, units per chunk, length, inner. */
export function softmaxColumns(args: usize, chunk: i32, thread: i32): void {
  const length = word(args, 4);
  const inner = word(args, 5);
  const stride = <usize>inner << 2;
  const blocks = (inner + 3) >> 2;
  const perChunk = word(args, 3);
  const last = min(word(args, 2), (chunk + 1) * perChunk);
  for (let unit = chunk * perChunk; unit < last; unit++) {
    const outer = unit / blocks;
    const column = (unit - outer * blocks) << 2;
    const lanes = min(4, inner - column);
    const offset = (<usize>(outer * length) * inner + column) << 2;
    const x = address(args, 0) + offset;
    const y = address(args, 1) + offset;
    const end = <usize>length * stride;
    let largest = v128.load(x);
    for (let at = stride; at < end; at += stride) largest = f32x4.pmax(largest, v128.load(x + at));
    let total = f32x4.splat(0);
    for (let at: usize = 0; at < end; ) {
      const stop = min(end, at + block * stride);
      let part = f32x4.splat(0);
      do {
        const e = expNormal4(f32x4.sub(v128.load(x + at), largest));
        storeFirst(y + at, e, lanes);
        part = f32x4.add(part, e);
        at += stride;
      } while (at < stop);
      total = f32x4.add(total, part);
    }
    const share = f32x4.div(f32x4.splat(1), total);
    for (let at: usize = 0; at < end; at += stride) {
      storeFirst(y + at, f32x4.mul(v128.load(y + at), share), lanes);
    }
  }
}
