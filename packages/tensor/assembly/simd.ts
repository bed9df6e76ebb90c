/** `a · b + c` per lane: fused in the relaxed build, two roundings in the plain one. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** The i32 argument word at `index`. */
// @ts-ignore: decorator
@inline
export function word(args: usize, index: i32): i32 {
  return load<i32>(args + ((<usize>index) << 2));
}

/** The argument word at `index` as an address. */
// @ts-ignore: decorator
@inline
export function address(args: usize, index: i32): usize {
  return <usize>load<u32>(args + ((<usize>index) << 2));
}

/** The f32 argument word at `index`. */
// @ts-ignore: decorator
@inline
export function float(args: usize, index: i32): f32 {
  return load<f32>(args + ((<usize>index) << 2));
}

/** Stores the first `count` (1 to 4) lanes of 32 bits. */
// @ts-ignore: decorator
@inline
export function storeFirst(to: usize, lanes: v128, count: i32): void {
  if (count >= 4) {
    v128.store(to, lanes);
    return;
  }
  if (count & 2) {
    v128.store64_lane(to, lanes, 0);
    if (count & 1) v128.store32_lane(to, lanes, 2, 8);
  } else if (count & 1) {
    v128.store32_lane(to, lanes, 0);
  }
}
