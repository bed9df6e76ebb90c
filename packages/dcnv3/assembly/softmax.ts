import { expNormal4 } from '../../tensor/assembly/activation';
import { largestLane, sumLanes } from '../../tensor/assembly/reduce-lanes';

/** All ones in the lanes that are among the first `count`. */
// @ts-ignore: decorator
@inline
export function firstLanes(count: i32): v128 {
  return i32x4.gt_s(i32x4.splat(count), i32x4(0, 1, 2, 3));
}

/**
 * Writes the largest logit of a group to each of its points; up to three elements behind them are written as well.
 *
 * @param tail the lanes of the last, incomplete vector.
 */
// @ts-ignore: decorator
@inline
export function spreadLargest(logits: usize, to: usize, points: i32, tail: v128): void {
  const full = (<usize>(points & ~3)) << 2;
  let largest = v128.bitselect(v128.load(logits + full), f32x4.splat(-Infinity), tail);
  for (let at: usize = 0; at < full; at += 16) largest = f32x4.pmax(largest, v128.load(logits + at));
  spread(largestLane(largest), to, points);
}

/** Writes `lanes` to each point of a group; up to four elements behind them are written as well. */
// @ts-ignore: decorator
@inline
export function spread(lanes: v128, to: usize, points: i32): void {
  const full = (<usize>(points & ~3)) << 2;
  for (let at: usize = 0; at <= full; at += 16) v128.store(to + at, lanes);
}

/** `e^(logit − largest)` of all points; `count` bytes, whole vectors. */
// @ts-ignore: decorator
@inline
export function raise(logits: usize, largest: usize, to: usize, count: usize): void {
  let at: usize = 0;
  do {
    v128.store(to + at, expNormal4(f32x4.sub(v128.load(logits + at), v128.load(largest + at))));
    at += 16;
  } while (at < count);
}

/** The sum over a group's points. */
// @ts-ignore: decorator
@inline
export function sumPoints(from: usize, points: i32, tail: v128): f32 {
  const full = (<usize>(points & ~3)) << 2;
  let total = v128.and(v128.load(from + full), tail);
  for (let at: usize = 0; at < full; at += 16) total = f32x4.add(total, v128.load(from + at));
  return sumLanes(total);
}
