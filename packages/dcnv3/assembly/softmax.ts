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
  for (let at: usize = 0; at < full; at += 16) largest = f32x4.max(largest, v128.load(logits + at));
  largest = largestLane(largest);
  for (let at: usize = 0; at <= full; at += 16) v128.store(to + at, largest);
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
