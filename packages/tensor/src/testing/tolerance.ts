import type { Device } from '../device.js';
import type { Tolerance } from './compare.js';

/** How a result is computed, as far as its rounding errors go. */
export type ToleranceKind = 'exact' | 'arithmetic' | 'function' | 'sum' | 'norm' | 'interpolation';

/** The precision of the arithmetic under test; `f16` stands for f32 arithmetic on half-precision storage. */
export type Precision = 'f64' | 'f32' | 'f16';

/** Unit roundoff: the largest relative error of one rounding. */
const f32 = 2 ** -24;
const f16 = 2 ** -11;

/**
 * Bounds relative to the magnitude of the result. The f64 column is the oracle against values that were stored as f32:
 * one f32 rounding, whatever was computed. The f16 column adds the rounding of the stored input and result.
 */
const table: Readonly<Record<ToleranceKind, Readonly<Record<Precision, number>>>> = {
  // Elements are moved, selected or compared; nothing is rounded.
  exact: { f64: 0, f32: 0, f16: 0 },
  // Up to four roundings in a row, each of a value no larger than the magnitude.
  arithmetic: { f64: f32, f32: 4 * f32, f16: 2 * f16 },
  // exp, log, erf and what is made of them: polynomials of ten or so steps after a range reduction.
  function: { f64: f32, f32: 16 * f32, f16: 2 * f16 },
  // Sums of 1024 products in any order: rounding errors have mixed signs and add up like a random walk, √1024 steps.
  sum: { f64: f32, f32: 32 * f32, f16: 2 * f16 },
  // Two sums, a reciprocal square root and two roundings, magnified by how far the row's mean is from zero.
  norm: { f64: f32, f32: 32 * f32, f16: 4 * f16 },
  // Two mixes in a row; the weights are exact to f32.
  interpolation: { f64: f32, f32: 8 * f32, f16: 2 * f16 },
};

/**
 * The tolerance for a kind of computation at a precision.
 *
 * @param terms how many products a `sum` has, when that is more than 1024.
 */
export function tolerance(kind: ToleranceKind, precision: Precision, terms = 1024): Tolerance {
  const relative = table[kind][precision];
  const longer = kind === 'sum' && precision !== 'f64' ? Math.sqrt(Math.max(terms, 1024) / 1024) : 1;
  return { relative: relative * longer };
}

/** The precision that a device computes f32 tensors in. */
export function precisionOf(device: Device): Precision {
  return device.name === 'reference' ? 'f64' : 'f32';
}
