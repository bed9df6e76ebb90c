import { madd } from './simd';

/*
 * The three linear maps of F(4, 3): four outputs of a three-tap correlation by six products instead of twelve (Winograd,
 * "Arithmetic Complexity of Computations", 1980), nested to F(4×4, 3×3).
 *
 * A correlation is the transpose of a product of polynomials (Toom and Cook). That product, g(x) of degree 2 times a
 * cubic, has six coefficients, so that its values at the points a = 0, 1, −1, ½, −2 and ∞ determine it. Transposed:
 *
 *     y = Aᵀ [(G g) ∘ (Bᵀ d)]     Aᵀ[i][j] = a_jⁱ
 *                                 G[j]     = (1, a_j, a_j²) / N_j,   N_j = Π_{k≠j} (a_j − a_k)
 *                                 Bᵀ[j]    = coefficients of M_j(x) = Π_{k≠j} (x − a_k)
 *
 * and for ∞: Aᵀ = (0, 0, 0, 1), G = (0, 0, 1), Bᵀ = coefficients of M(x) = Π (x − a_k). The N_j are 1, 3, −3, −15/16 and
 * 15. These points were chosen for their small rounding error: every entry of A and B is an exact f32, none above 8.
 *
 *     Bᵀ =  1  −3/2   −2   3/2  1  0      Aᵀ = 1  1   1   1   1  0
 *           0   −1   1/2   5/2  1  0           0  1  −1  1/2 −2  0
 *           0    1  −5/2   1/2  1  0           0  1   1  1/4  4  0
 *           0   −2   −1     2   1  0           0  1  −1  1/8 −8  1
 *           0   1/2  −1   −1/2  1  0
 *           0    1  −3/2   −2  3/2 1
 */

/** Bᵀ of six vectors. Constants are vectors in registers: V8 builds a splat of a literal anew each time around a loop. */
// @ts-ignore: decorator
@inline
export function transformInput(
  d0: v128, d1: v128, d2: v128, d3: v128, d4: v128, d5: v128,
  to0: usize, to1: usize, to2: usize, to3: usize, to4: usize, to5: usize,
  two: v128, threeHalves: v128, half: v128,
): void {
  const e = f32x4.sub(d4, d2);
  const f = f32x4.sub(d3, d1);
  const a = madd(d3, threeHalves, e);
  const b = madd(d2, threeHalves, f);
  v128.store(to0, madd(f, threeHalves, f32x4.add(e, f32x4.sub(d0, d2))));
  v128.store(to1, f32x4.add(a, b));
  v128.store(to2, f32x4.sub(a, b));
  v128.store(to3, madd(f, two, e));
  v128.store(to4, f32x4.sub(e, f32x4.mul(f, half)));
  v128.store(to5, madd(e, threeHalves, f32x4.sub(f32x4.sub(d5, d3), f)));
}

/** Aᵀ of six vectors, each sum begun from `start`. */
// @ts-ignore: decorator
@inline
export function transformOutput(
  m0: v128, m1: v128, m2: v128, m3: v128, m4: v128, m5: v128,
  to0: usize, to1: usize, to2: usize, to3: usize,
  start: v128, two: v128, half: v128,
): void {
  const s = f32x4.add(m1, m2);
  const t = f32x4.sub(m1, m2);
  const h = f32x4.mul(m3, half);
  const d = f32x4.mul(m4, two);
  const q = f32x4.mul(h, half);
  const w = f32x4.mul(d, two);
  v128.store(to0, f32x4.add(start, f32x4.add(f32x4.add(m0, s), f32x4.add(m3, m4))));
  v128.store(to1, f32x4.add(start, f32x4.add(t, f32x4.sub(h, d))));
  v128.store(to2, f32x4.add(start, f32x4.add(s, f32x4.add(q, w))));
  v128.store(to3, f32x4.add(start, f32x4.add(f32x4.add(t, m5), f32x4.sub(f32x4.mul(q, half), f32x4.mul(w, two)))));
}

/** G of three taps in f64, to six values `toStep` bytes apart. */
// @ts-ignore: decorator
@inline
export function transformWeight(g0: f64, g1: f64, g2: f64, to: usize, toStep: usize): void {
  const ends = g0 + g2;
  store<f64>(to, g0);
  store<f64>(to + toStep, (ends + g1) / 3);
  store<f64>(to + 2 * toStep, (g1 - ends) / 3);
  store<f64>(to + 3 * toStep, (g0 + 0.5 * g1 + 0.25 * g2) * (-16.0 / 15.0));
  store<f64>(to + 4 * toStep, (g0 - 2 * g1 + 4 * g2) / 15);
  store<f64>(to + 5 * toStep, g2);
}

/** Of two taps, g0 and g2, the four values of F(3, 2) that doubled.ts explains; else as `transformWeight`. */
// @ts-ignore: decorator
@inline
export function transformOddTaps(g0: f64, g2: f64, to: usize, toStep: usize): void {
  store<f64>(to, g0);
  store<f64>(to + toStep, (g0 + g2) / 2);
  store<f64>(to + 2 * toStep, (g0 - g2) / 2);
  store<f64>(to + 3 * toStep, g2);
}
