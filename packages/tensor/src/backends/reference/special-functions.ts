/** Scalar functions in f64 that the host's `Math` lacks, accurate to a few units in the last place. */

const twoOverSqrtPi = 2 / Math.sqrt(Math.PI);
/** Where the power series of erf hands over to the continued fraction of erfc. */
const seriesLimit = 2;
/** Levels of the continued fraction: at `seriesLimit` the remainder is below f64's precision. */
const fractionLevels = 90;

/** The error function `2/√π · ∫₀ˣ e^(−t²) dt`. */
export function erf(x: number): number {
  if (Math.abs(x) <= seriesLimit) return erfSeries(x);
  return x > 0 ? 1 - erfcFraction(x) : erfcFraction(-x) - 1;
}

/** `1 − erf(x)` without the cancellation for large `x`. */
export function erfc(x: number): number {
  if (Math.abs(x) <= seriesLimit) return 1 - erfSeries(x);
  return x > 0 ? erfcFraction(x) : 2 - erfcFraction(-x);
}

/** `2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·5…(2n+1))`; all terms have one sign (DLMF 7.6.2). NaN gives NaN. */
function erfSeries(x: number): number {
  let term = x;
  let total = x;
  for (let n = 1; Math.abs(term) > Math.abs(total) * 1e-18; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return twoOverSqrtPi * Math.exp(-x * x) * total;
}

/** `e^(−x²)/√π · 1/(x + (1/2)/(x + (2/2)/(x + (3/2)/(x + …))))` for positive `x` (DLMF 7.9.1), from the inside out. */
function erfcFraction(x: number): number {
  let denominator = x;
  for (let n = fractionLevels; n > 0; n--) denominator = x + n / 2 / denominator;
  return ((twoOverSqrtPi / 2) * Math.exp(-x * x)) / denominator;
}

/** `x / 2 · (1 + erf(x / √2))`, accurate in the far negative tail too. */
export function gelu(x: number): number {
  return (x / 2) * erfc(-x / Math.SQRT2);
}

/** `1 / (1 + e^−x)`. */
export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
