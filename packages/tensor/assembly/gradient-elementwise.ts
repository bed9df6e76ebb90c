import { exp4, geluDerivative4, sigmoidDerivative4, siluDerivative4 } from './activation';
import { address, float, madd, storeFirst, word } from './simd';
import { ABS, EXP, GELU, LOG, NEG, RELU, SIGMOID, SILU, SQRT } from './unary-functions';

/** `gy · f′(x)`; where relu cuts off, whatever gy is. */
// @ts-ignore: decorator
@inline
function chain(fn: i32, x: v128, gy: v128): v128 {
  if (fn == RELU) return v128.andnot(gy, f32x4.le(x, f32x4.splat(0)));
  if (fn == GELU) return f32x4.mul(gy, geluDerivative4(x));
  if (fn == SILU) return f32x4.mul(gy, siluDerivative4(x));
  if (fn == SIGMOID) return f32x4.mul(gy, sigmoidDerivative4(x));
  if (fn == EXP) return f32x4.mul(gy, exp4(x));
  if (fn == LOG) return f32x4.div(gy, x);
  if (fn == SQRT) return f32x4.div(f32x4.mul(gy, f32x4.splat(0.5)), f32x4.sqrt(x));
  if (fn == ABS) {
    const sign = v128.and(x, i32x4.splat(0x80000000));
    return v128.andnot(v128.xor(gy, sign), f32x4.eq(x, f32x4.splat(0)));
  }
  return f32x4.neg(gy);
}

/** args: x, gy, gx, length, chunk length (a multiple of 4). */
// @ts-ignore: decorator
@inline
function unaryGradient(fn: i32, args: usize, chunk: i32): void {
  const size = word(args, 4);
  const first = chunk * size;
  const count = min(word(args, 3) - first, size);
  const offset = (<usize>first) << 2;
  let x = address(args, 0) + offset;
  let gy = address(args, 1) + offset;
  let gx = address(args, 2) + offset;
  const end = gx + ((<usize>count & ~3) << 2);
  while (gx < end) {
    v128.store(gx, chain(fn, v128.load(x), v128.load(gy)));
    x += 16;
    gy += 16;
    gx += 16;
  }
  if (count & 3) storeFirst(gx, chain(fn, v128.load(x), v128.load(gy)), count & 3);
}

export function reluGradient(args: usize, chunk: i32, thread: i32): void {
  unaryGradient(RELU, args, chunk);
}

export function geluGradient(args: usize, chunk: i32, thread: i32): void {
  unaryGradient(GELU, args, chunk);
}

export function siluGradient(args: usize, chunk: i32, thread: i32): void {
  unaryGradient(SILU, args, chunk);
}

export function sigmoidGradient(args: usize, chunk: i32, thread: i32): void {
  unaryGradient(SIGMOID, args, chunk);
}

export function expGradient(args: usize, chunk: i32, thread: i32): void {
  unaryGradient(EXP, args, chunk);
}

export function logGradient(args: usize, chunk: i32, thread: i32): void {
  unaryGradient(LOG, args, chunk);
}

export function sqrtGradient(args: usize, chunk: i32, thread: i32): void {
  unaryGradient(SQRT, args, chunk);
}

export function absGradient(args: usize, chunk: i32, thread: i32): void {
  unaryGradient(ABS, args, chunk);
}

export function negGradient(args: usize, chunk: i32, thread: i32): void {
  unaryGradient(NEG, args, chunk);
}

/** One step of AdamW on four parameters. */
// @ts-ignore: decorator
@inline
function adamWLanes(args: usize, p: usize, g: usize, m: usize, v: usize, factor: v128, count: i32): void {
  const gradient = f32x4.mul(v128.load(g), factor);
  const mean = madd(v128.load(m), f32x4.splat(float(args, 8)), f32x4.mul(gradient, f32x4.splat(float(args, 9))));
  const square = f32x4.mul(f32x4.mul(gradient, gradient), f32x4.splat(float(args, 11)));
  const variance = madd(v128.load(v), f32x4.splat(float(args, 10)), square);
  const deviation = f32x4.div(f32x4.sqrt(variance), f32x4.splat(float(args, 14)));
  const step = f32x4.div(mean, f32x4.add(deviation, f32x4.splat(float(args, 12))));
  const kept = f32x4.mul(v128.load(p), f32x4.splat(float(args, 7)));
  storeFirst(p, f32x4.sub(kept, f32x4.mul(step, f32x4.splat(float(args, 13)))), count);
  storeFirst(m, mean, count);
  storeFirst(v, variance, count);
}

/**
 * args: 0 parameter, 1 gradient, 2 mean, 3 variance, 4 scale or 0, 5 length, 6 chunk length (a multiple of 4), 7 what weight
 * decay leaves, 8 beta1, 9 1 − beta1, 10 beta2, 11 1 − beta2, 12 eps, 13 rate, 14 correction.
 */
export function adamW(args: usize, chunk: i32, thread: i32): void {
  const size = word(args, 6);
  const first = chunk * size;
  const count = min(word(args, 5) - first, size);
  const offset = (<usize>first) << 2;
  let p = address(args, 0) + offset;
  let g = address(args, 1) + offset;
  let m = address(args, 2) + offset;
  let v = address(args, 3) + offset;
  const scale = address(args, 4);
  const factor = scale ? v128.load32_splat(scale) : f32x4.splat(1);
  const end = p + ((<usize>count & ~3) << 2);
  while (p < end) {
    adamWLanes(args, p, g, m, v, factor, 4);
    p += 16;
    g += 16;
    m += 16;
    v += 16;
  }
  if (count & 3) adamWLanes(args, p, g, m, v, factor, count & 3);
}
