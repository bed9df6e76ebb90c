/** The largest lane of x in every lane; unspecified where one is NaN. */
// @ts-ignore: decorator
@inline
export function largestLane(x: v128): v128 {
  const pairs = f32x4.pmax(x, v128.shuffle<i32>(x, x, 2, 3, 0, 1));
  return f32x4.pmax(pairs, v128.shuffle<i32>(pairs, pairs, 1, 0, 3, 2));
}

/** The sum of the lanes of x. */
// @ts-ignore: decorator
@inline
export function sumLanes(x: v128): f32 {
  const pairs = f32x4.add(x, v128.shuffle<i32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** The lowest of the indices that lie in the lanes where `best` is largest. */
// @ts-ignore: decorator
@inline
export function bestLane(best: v128, index: v128): i32 {
  const elsewhere = i32x4.splat(i32.MAX_VALUE);
  let at = v128.bitselect(index, elsewhere, f32x4.eq(best, largestLane(best)));
  at = i32x4.min_s(at, v128.shuffle<i32>(at, at, 2, 3, 0, 1));
  at = i32x4.min_s(at, v128.shuffle<i32>(at, at, 1, 0, 3, 2));
  return i32x4.extract_lane(at, 0);
}
