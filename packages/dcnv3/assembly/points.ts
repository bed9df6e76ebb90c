import { expNormal4 } from '../../tensor/assembly/activation';
import { largestLane, sumLanes } from '../../tensor/assembly/reduce-lanes';

/** Softmax over one group's logits; up to three elements behind the end of `to` are written as well. */
// @ts-ignore: decorator
@inline
export function softmaxPoints(from: usize, to: usize, points: i32): void {
  const tail = points & 3;
  const full = (<usize>(points - tail)) << 2;
  const mask = i32x4.gt_s(i32x4.splat(tail), i32x4(0, 1, 2, 3));
  const rest = v128.bitselect(v128.load(from + full), f32x4.splat(-Infinity), mask);
  let largest = rest;
  for (let at: usize = 0; at < full; at += 16) largest = f32x4.max(largest, v128.load(from + at));
  largest = largestLane(largest);
  const last = expNormal4(f32x4.sub(rest, largest));
  let total = v128.and(last, mask);
  for (let at: usize = 0; at < full; at += 16) {
    const e = expNormal4(f32x4.sub(v128.load(from + at), largest));
    v128.store(to + at, e);
    total = f32x4.add(total, e);
  }
  const share = f32x4.splat(<f32>1 / sumLanes(total));
  for (let at: usize = 0; at < full; at += 16) v128.store(to + at, f32x4.mul(v128.load(to + at), share));
  if (tail) v128.store(to + full, f32x4.mul(last, share));
}

/** The first index of the two neighbours that are read along an axis: both lie inside it wherever it has two. */
// @ts-ignore: decorator
@inline
export function firstNeighbour(low: v128, size: i32): v128 {
  return i32x4.max_s(i32x4.min_s(low, i32x4.splat(size - 2)), i32x4.splat(0));
}

/** `1 − fraction` where `low` lies on the axis, else 0. */
// @ts-ignore: decorator
@inline
export function lowWeight(low: v128, fraction: v128, size: i32): v128 {
  // As unsigned numbers the negative indices are large.
  return v128.and(f32x4.sub(f32x4.splat(1), fraction), i32x4.lt_u(low, i32x4.splat(size)));
}

/** `fraction` where `low + 1` lies on the axis, else 0. */
// @ts-ignore: decorator
@inline
export function highWeight(low: v128, fraction: v128, size: i32): v128 {
  return v128.and(fraction, i32x4.lt_u(i32x4.add(low, i32x4.splat(1)), i32x4.splat(size)));
}
