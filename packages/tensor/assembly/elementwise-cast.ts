import { address, word } from './simd';

// @ts-ignore: decorator
@inline
const F32: i32 = 0;
// @ts-ignore: decorator
@inline
const F16: i32 = 1;
// @ts-ignore: decorator
@inline
const I32: i32 = 2;
// @ts-ignore: decorator
@inline
const U8: i32 = 3;

// @ts-ignore: decorator
@inline
function bytesOf(dtype: i32): i32 {
  return dtype == U8 ? 1 : dtype == F16 ? 2 : 4;
}

/** Four halves in 32-bit lanes, as floats. */
// @ts-ignore: decorator
@inline
function widenHalf(bits: v128): v128 {
  const magnitude = v128.and(bits, i32x4.splat(0x7fff));
  // Seen as a float, a half shifted into place is too small by 2^112; this holds for subnormal halves as well.
  const value = f32x4.mul(i32x4.shl(magnitude, 13), f32x4.splat(5.192296858534828e33));
  const special = v128.and(i32x4.gt_s(magnitude, i32x4.splat(0x7bff)), i32x4.splat(0x7f800000));
  const sign = i32x4.shl(v128.and(bits, i32x4.splat(0x8000)), 16);
  return v128.or(v128.or(value, special), sign);
}

/** Four floats as halves in 32-bit lanes, rounded to nearest even. */
// @ts-ignore: decorator
@inline
function narrowHalf(x: v128): v128 {
  const sign = v128.and(x, i32x4.splat(0x80000000));
  const bits = v128.xor(x, sign);
  // Normal results: the exponent is rebiased, and the rounding carry may run into it.
  const odd = v128.and(i32x4.shr_u(bits, 13), i32x4.splat(1));
  const rounded = i32x4.add(i32x4.add(bits, i32x4.splat(((15 - 127) << 23) + 0xfff)), odd);
  let half = i32x4.shr_u(rounded, 13);
  // Subnormal results: adding 0.5 lets the float unit shift and round.
  const small = i32x4.sub(f32x4.add(bits, f32x4.splat(0.5)), i32x4.splat(0x3f000000));
  half = v128.bitselect(small, half, i32x4.lt_s(bits, i32x4.splat(113 << 23)));
  half = v128.bitselect(i32x4.splat(0x7c00), half, i32x4.gt_s(bits, i32x4.splat((143 << 23) - 1)));
  const payload = v128.and(i32x4.shr_u(bits, 13), i32x4.splat(0x3ff));
  const nan = v128.or(payload, i32x4.splat(0x7e00));
  half = v128.bitselect(nan, half, i32x4.gt_s(bits, i32x4.splat(0x7f800000)));
  return v128.or(half, i32x4.shr_u(sign, 16));
}

/** Four elements as 32-bit lanes: floats from f32 and f16, integers from i32 and u8. */
// @ts-ignore: decorator
@inline
function read(dtype: i32, at: usize): v128 {
  if (dtype == F16) return widenHalf(i32x4.extend_low_i16x8_u(v128.load64_zero(at)));
  if (dtype == U8) return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(at)));
  return v128.load(at);
}

// @ts-ignore: decorator
@inline
function convert(from: i32, to: i32, x: v128): v128 {
  let lanes = x;
  if (from <= F16 && to >= I32) lanes = i32x4.trunc_sat_f32x4_s(lanes);
  if (from >= I32 && to <= F16) lanes = f32x4.convert_i32x4_s(lanes);
  if (to == F16) {
    const halves = narrowHalf(lanes);
    lanes = i16x8.narrow_i32x4_u(halves, halves);
  }
  if (to == U8) {
    const pairs = i16x8.narrow_i32x4_s(lanes, lanes);
    lanes = i8x16.narrow_i16x8_u(pairs, pairs);
  }
  return lanes;
}

/** Converts between two dtypes. args: x, y, length, chunk length (a multiple of 4). */
// @ts-ignore: decorator
@inline
function cast(from: i32, to: i32, args: usize, chunk: i32): void {
  const size = word(args, 3);
  const first = chunk * size;
  const count = min(word(args, 2) - first, size);
  let x = address(args, 0) + <usize>first * bytesOf(from);
  let y = address(args, 1) + <usize>first * bytesOf(to);
  const end = y + <usize>(count & ~3) * bytesOf(to);
  while (y < end) {
    const lanes = convert(from, to, read(from, x));
    if (bytesOf(to) == 4) v128.store(y, lanes);
    else if (bytesOf(to) == 2) v128.store64_lane(y, lanes, 0);
    else v128.store32_lane(y, lanes, 0);
    x += 4 * bytesOf(from);
    y += 4 * bytesOf(to);
  }
  let lanes = convert(from, to, read(from, x));
  for (let rest = count & 3; rest > 0; rest--) {
    if (bytesOf(to) == 4) {
      v128.store32_lane(y, lanes, 0);
      lanes = v128.shuffle<i32>(lanes, lanes, 1, 2, 3, 0);
    } else if (bytesOf(to) == 2) {
      v128.store16_lane(y, lanes, 0);
      lanes = v128.shuffle<i16>(lanes, lanes, 1, 2, 3, 4, 5, 6, 7, 0);
    } else {
      v128.store8_lane(y, lanes, 0);
      lanes = i32x4.shr_u(lanes, 8);
    }
    y += bytesOf(to);
  }
}

export function castF32ToF16(args: usize, chunk: i32, thread: i32): void {
  cast(F32, F16, args, chunk);
}

export function castF32ToI32(args: usize, chunk: i32, thread: i32): void {
  cast(F32, I32, args, chunk);
}

export function castF32ToU8(args: usize, chunk: i32, thread: i32): void {
  cast(F32, U8, args, chunk);
}

export function castF16ToF32(args: usize, chunk: i32, thread: i32): void {
  cast(F16, F32, args, chunk);
}

export function castF16ToI32(args: usize, chunk: i32, thread: i32): void {
  cast(F16, I32, args, chunk);
}

export function castF16ToU8(args: usize, chunk: i32, thread: i32): void {
  cast(F16, U8, args, chunk);
}

export function castI32ToF32(args: usize, chunk: i32, thread: i32): void {
  cast(I32, F32, args, chunk);
}

export function castI32ToF16(args: usize, chunk: i32, thread: i32): void {
  cast(I32, F16, args, chunk);
}

export function castI32ToU8(args: usize, chunk: i32, thread: i32): void {
  cast(I32, U8, args, chunk);
}

export function castU8ToF32(args: usize, chunk: i32, thread: i32): void {
  cast(U8, F32, args, chunk);
}

export function castU8ToF16(args: usize, chunk: i32, thread: i32): void {
  cast(U8, F16, args, chunk);
}

export function castU8ToI32(args: usize, chunk: i32, thread: i32): void {
  cast(U8, I32, args, chunk);
}
