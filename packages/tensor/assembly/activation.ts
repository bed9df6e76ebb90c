import { madd } from './simd';

/*
 * The polynomials below are minimax fits in f64 (Lawson's iteration on Chebyshev nodes); each coefficient was rounded
 * to f32 in turn and the ones after it were fitted again, so that the rounding costs no accuracy.
 */

// @ts-ignore: decorator
@inline
const magic: f32 = 12582912.0; // 1.5 · 2^23: adding it rounds to an integer, held in the low bits.
// @ts-ignore: decorator
@inline
const magicBits: i32 = 0x4b400000;
// @ts-ignore: decorator
@inline
const log2e: f32 = 1.44269504;
// ln 2 in two parts; the first has few enough bits that its product with an exponent is exact.
// @ts-ignore: decorator
@inline
const ln2High: f32 = 0.693359375;
// @ts-ignore: decorator
@inline
const ln2Low: f32 = -2.12194440e-4;

/** `e^r` for `|r| ≤ ln 2 / 2`; relative error of the polynomial 3e-9. */
// @ts-ignore: decorator
@inline
function expReduced(r: v128): v128 {
  // Pairs of terms side by side: a chain of single terms would wait for each result.
  const square = f32x4.mul(r, r);
  const low = madd(f32x4.splat(0.166665211), r, f32x4.splat(0.49999994));
  const high = madd(f32x4.splat(8.36870354e-3), r, f32x4.splat(4.16682884e-2));
  const q = madd(madd(f32x4.splat(1.38189388e-3), square, high), square, low);
  return f32x4.add(madd(square, q, r), f32x4.splat(1));
}

/** Per lane the smaller of x and bound; NaN stays. */
// @ts-ignore: decorator
@inline
function below(x: v128, bound: f32): v128 {
  return f32x4.pmin(x, f32x4.splat(bound));
}

/** Per lane the larger of x and bound; NaN stays. */
// @ts-ignore: decorator
@inline
function above(x: v128, bound: f32): v128 {
  return f32x4.pmax(x, f32x4.splat(bound));
}

/** `x − n · ln 2`. */
// @ts-ignore: decorator
@inline
function reduceExp(x: v128, n: v128): v128 {
  return madd(n, f32x4.splat(-ln2Low), madd(n, f32x4.splat(-ln2High), x));
}

/** `e^x` per lane over all floats, subnormal results and infinities included; within 1 ulp. */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const clamped = below(above(x, -104), 89);
  const shifted = madd(clamped, f32x4.splat(log2e), f32x4.splat(magic));
  const n = f32x4.sub(shifted, f32x4.splat(magic));
  // The power of two is applied in two halves, since it can lie outside the range of normal floats.
  const exponent = i32x4.sub(shifted, i32x4.splat(magicBits));
  const half = i32x4.shr_s(exponent, 1);
  const bias = i32x4.splat(127);
  const first = i32x4.shl(i32x4.add(half, bias), 23);
  const second = i32x4.shl(i32x4.add(i32x4.sub(exponent, half), bias), 23);
  return f32x4.mul(f32x4.mul(expReduced(reduceExp(clamped, n)), first), second);
}

/** `e^x` per lane where results below 2^−126 may become 0 and above 2^127.5 infinite; cheaper than {@link exp4}. */
// @ts-ignore: decorator
@inline
export function expNormal4(x: v128): v128 {
  const clamped = below(above(x, -88), 88.7);
  const shifted = madd(clamped, f32x4.splat(log2e), f32x4.splat(magic));
  const n = f32x4.sub(shifted, f32x4.splat(magic));
  const power = i32x4.shl(i32x4.add(shifted, i32x4.splat(127)), 23);
  return f32x4.mul(expReduced(reduceExp(clamped, n)), power);
}

/** `1 / (1 + e^−x)` per lane, within 2 ulp; 0 where the result is below 2^−127. */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, expNormal4(f32x4.neg(x))));
}

/** `x · sigmoid(x)` per lane; as in PyTorch, NaN at −∞. */
// @ts-ignore: decorator
@inline
export function silu4(x: v128): v128 {
  return f32x4.div(x, f32x4.add(f32x4.splat(1), expNormal4(f32x4.neg(x))));
}

/**
 * `1 / Φ(−a)` per lane for `a ≥ 0`, Φ the normal distribution: the power `P(a)^8` of a polynomial of degree 9 with positive
 * values that grow, so that the powers keep the accuracy and grow like the inverse of the normal tail (Hastings' form of
 * erfc, refitted).
 */
// @ts-ignore: decorator
@inline
function inverseTail4(a: v128): v128 {
  let p = madd(f32x4.splat(3.58552626e-7), a, f32x4.splat(-1.96578821e-6));
  p = madd(p, a, f32x4.splat(1.22466454e-5));
  p = madd(p, a, f32x4.splat(1.05600529e-5));
  p = madd(p, a, f32x4.splat(2.9487320e-4));
  p = madd(p, a, f32x4.splat(8.86672526e-4));
  p = madd(p, a, f32x4.splat(9.47684422e-3));
  p = madd(p, a, f32x4.splat(4.88109849e-2));
  p = madd(p, a, f32x4.splat(0.108762421));
  p = madd(p, a, f32x4.splat(1.09050775));
  p = f32x4.mul(p, p);
  p = f32x4.mul(p, p);
  return f32x4.mul(p, p);
}

/**
 * The erf form of GELU, `x · Φ(x) = max(x, 0) − |x| · Φ(−|x|)`, per lane; absolute error below 1.7e-7 for `x ≤ 4`, within
 * 1 ulp above.
 */
// @ts-ignore: decorator
@inline
export function gelu4(x: v128): v128 {
  const a = below(f32x4.abs(x), 1000);
  return f32x4.sub(above(x, 0), f32x4.div(a, inverseTail4(a)));
}

/** The derivative of {@link gelu4}, `Φ(x) + x · φ(x)`, per lane; absolute error below 3e-7. */
// @ts-ignore: decorator
@inline
export function geluDerivative4(x: v128): v128 {
  const bounded = above(below(x, 1000), -1000);
  const a = f32x4.abs(bounded);
  const tail = f32x4.div(f32x4.splat(1), inverseTail4(a));
  const distribution = v128.bitselect(tail, f32x4.sub(f32x4.splat(1), tail), f32x4.lt(x, f32x4.splat(0)));
  const density = f32x4.mul(expNormal4(f32x4.mul(f32x4.mul(a, a), f32x4.splat(-0.5))), f32x4.splat(0.398942280));
  return madd(bounded, density, distribution);
}

/** The derivative of {@link sigmoid4}, `e / (1 + e)²` with `e = e^−|x|`, per lane. */
// @ts-ignore: decorator
@inline
export function sigmoidDerivative4(x: v128): v128 {
  const e = expNormal4(f32x4.neg(f32x4.abs(x)));
  const d = f32x4.add(e, f32x4.splat(1));
  return f32x4.div(e, f32x4.mul(d, d));
}

/** The derivative of {@link silu4}, `s · (1 + x · (1 − s))` with `s = sigmoid(x)`, per lane. */
// @ts-ignore: decorator
@inline
export function siluDerivative4(x: v128): v128 {
  const bounded = above(x, -1000);
  const s = sigmoid4(bounded);
  return f32x4.mul(s, madd(bounded, f32x4.sub(f32x4.splat(1), s), f32x4.splat(1)));
}

/** `max(x, 0)` per lane; NaN stays. */
// @ts-ignore: decorator
@inline
export function relu4(x: v128): v128 {
  return above(x, 0);
}

/**
 * Natural logarithm per lane, within 2 ulp: NaN below 0, −∞ at 0. `x = 2^n · m` with `m` between √½ and √2, and
 * `ln m` is a polynomial in `m − 1` of relative error 1e-9.
 */
// @ts-ignore: decorator
@inline
export function log4(x: v128): v128 {
  // Subnormal numbers are brought into the normal range first.
  const tiny = f32x4.lt(x, f32x4.splat(1.1754944e-38));
  const scaled = v128.bitselect(f32x4.mul(x, f32x4.splat(8388608)), x, tiny);
  const shifted = i32x4.sub(scaled, i32x4.splat(0x3f3504f3));
  const exponent = i32x4.sub(i32x4.shr_s(shifted, 23), v128.and(tiny, i32x4.splat(23)));
  const m = i32x4.sub(scaled, v128.and(shifted, i32x4.splat(0xff800000)));
  const n = f32x4.convert_i32x4_s(exponent);
  const f = f32x4.sub(m, f32x4.splat(1));
  let q = madd(f32x4.splat(6.75349236e-2), f, f32x4.splat(-0.116766497));
  q = madd(q, f, f32x4.splat(0.118852593));
  q = madd(q, f, f32x4.splat(-0.124054685));
  q = madd(q, f, f32x4.splat(0.142200857));
  q = madd(q, f, f32x4.splat(-0.166680098));
  q = madd(q, f, f32x4.splat(0.200020805));
  q = madd(q, f, f32x4.splat(-0.250000089));
  q = madd(q, f, f32x4.splat(0.333333135));
  const square = f32x4.mul(f, f);
  const small = madd(f32x4.mul(square, f), q, madd(f32x4.splat(-0.5), square, f32x4.mul(n, f32x4.splat(ln2Low))));
  const result = madd(n, f32x4.splat(ln2High), f32x4.add(f, small));
  const finite = v128.bitselect(result, x, f32x4.lt(x, f32x4.splat(Infinity)));
  const positive = v128.bitselect(finite, f32x4.splat(NaN), f32x4.ge(x, f32x4.splat(0)));
  return v128.bitselect(f32x4.splat(-Infinity), positive, f32x4.eq(x, f32x4.splat(0)));
}
