import { address, storeFirst, word } from './simd';
import { bestLane } from './reduce-lanes';

/** inner is 1. args: x, y, lines, lines per chunk, length. */
export function argmaxRows(args: usize, chunk: i32, thread: i32): void {
  const length = word(args, 4);
  const perChunk = word(args, 3);
  const last = min(word(args, 2), (chunk + 1) * perChunk);
  const tail = length & 3;
  const mask = i32x4.gt_s(i32x4.splat(tail), i32x4(0, 1, 2, 3));
  for (let line = chunk * perChunk; line < last; line++) {
    let x = address(args, 0) + ((<usize>line * length) << 2);
    const first = load<f32>(x);
    const end = x + ((<usize>(length - tail)) << 2);
    let best = f32x4.splat(-Infinity);
    let index = i32x4(0, 1, 2, 3);
    let current = index;
    while (x < end) {
      const lanes = v128.load(x);
      index = v128.bitselect(current, index, f32x4.gt(lanes, best));
      best = f32x4.pmax(best, lanes);
      current = i32x4.add(current, i32x4.splat(4));
      x += 16;
    }
    if (tail) {
      const lanes = v128.load(x);
      const larger = v128.and(mask, f32x4.gt(lanes, best));
      best = v128.bitselect(lanes, best, larger);
      index = v128.bitselect(current, index, larger);
    }
    // A NaN is never larger than another element, but nothing is larger than one that comes first.
    store<i32>(address(args, 1) + ((<usize>line) << 2), first == first ? bestLane(best, index) : 0);
  }
}

/** inner is above 1; a unit is four columns of one outer index. args: x, y, units, units per chunk, length, inner. */
export function argmaxColumns(args: usize, chunk: i32, thread: i32): void {
  const length = word(args, 4);
  const inner = word(args, 5);
  const stride = <usize>inner << 2;
  const blocks = (inner + 3) >> 2;
  const perChunk = word(args, 3);
  const last = min(word(args, 2), (chunk + 1) * perChunk);
  for (let unit = chunk * perChunk; unit < last; unit++) {
    const outer = unit / blocks;
    const column = (unit - outer * blocks) << 2;
    let x = address(args, 0) + ((<usize>(outer * length) * inner + column) << 2);
    let best = v128.load(x);
    let index = i32x4.splat(0);
    for (let i = 1; i < length; i++) {
      x += stride;
      const lanes = v128.load(x);
      const larger = f32x4.gt(lanes, best);
      best = v128.bitselect(lanes, best, larger);
      index = v128.bitselect(i32x4.splat(i), index, larger);
    }
    storeFirst(address(args, 1) + ((<usize>outer * inner + column) << 2), index, inner - column);
  }
}
