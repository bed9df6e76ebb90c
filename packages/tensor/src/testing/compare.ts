import { sameShape, showShape, stridesOf, type Shape } from '../shape.js';
import { checkFilled, type HostTensor } from './host-tensor.js';

/** How far a result may be from what is expected: `relative` times the magnitude, for every element alike. */
export interface Tolerance {
  readonly relative: number;
  /**
   * What `relative` refers to. Default: the largest finite magnitude in the expected tensor. A sum whose terms cancel
   * is smaller than its rounding errors: give the sum of the terms' magnitudes then.
   */
  readonly magnitude?: number;
}

/** Where two tensors differ most, and whether that is within the tolerance. */
export interface Comparison {
  readonly ok: boolean;
  /** Position of the worst element on each axis; empty when shapes differ or there are no elements. */
  readonly index: readonly number[];
  readonly got: number;
  readonly expected: number;
  /** Absolute difference of the worst element; infinite when one of the two is not finite and the other differs. */
  readonly difference: number;
  /** `difference` over the magnitude; 0 when both are 0. */
  readonly relative: number;
  /** How many elements are outside the tolerance. */
  readonly failures: number;
  /** All of this in one line. */
  readonly message: string;
}

/**
 * Compares two tensors element by element. NaN equals NaN, an infinity equals itself, and neither equals anything
 * else.
 *
 * @throws ShapeError when the elements of one of them do not fill its shape.
 */
export function compareTensors(actual: HostTensor, expected: HostTensor, tolerance: Tolerance): Comparison {
  checkFilled('actual', actual);
  checkFilled('expected', expected);
  if (!sameShape(actual.shape, expected.shape)) {
    const message = `shape ${showShape(actual.shape)}, expected ${showShape(expected.shape)}`;
    const worst = { got: NaN, expected: NaN, difference: Infinity, relative: Infinity };
    return { ok: false, index: [], ...worst, failures: expected.data.length, message };
  }
  const magnitude = tolerance.magnitude ?? largest(expected.data);
  const allowed = tolerance.relative * magnitude;
  let worst = -1;
  let difference = -1;
  let failures = 0;
  for (let i = 0; i < expected.data.length; i++) {
    const d = distance(actual.data[i]!, expected.data[i]!);
    if (d > allowed) failures++;
    if (d > difference) {
      worst = i;
      difference = d;
    }
  }
  difference = Math.max(difference, 0);
  const relative = difference === 0 ? 0 : difference / magnitude;
  const ok = failures === 0;
  const index = worst < 0 ? [] : indexOf(worst, expected.shape);
  const got = actual.data[worst] ?? NaN;
  const wanted = expected.data[worst] ?? NaN;
  const message =
    `worst at [${index.join(', ')}] of ${showShape(expected.shape)}: got ${got}, expected ${wanted}, ` +
    `off by ${difference.toExponential(2)} = ${relative.toExponential(2)} of the magnitude ${magnitude.toPrecision(4)} ` +
    `(allowed ${tolerance.relative.toExponential(2)}); ${failures} of ${expected.data.length} elements are outside`;
  return { ok, index, got, expected: wanted, difference, relative, failures, message };
}

/**
 * Throws unless the tensors are equal within the tolerance.
 *
 * @param what names the comparison in the message.
 * @throws Error with the worst element, the differences and the tolerance.
 */
export function expectClose(actual: HostTensor, expected: HostTensor, tolerance: Tolerance, what = 'tensors'): void {
  const { ok, message } = compareTensors(actual, expected, tolerance);
  if (!ok) throw new Error(`${what} differ: ${message}`);
}

function distance(a: number, b: number): number {
  if (Object.is(a, b) || a === b) return 0;
  const d = Math.abs(a - b);
  return Number.isNaN(d) ? Infinity : d;
}

function largest(data: ArrayLike<number>): number {
  let result = 0;
  for (let i = 0; i < data.length; i++) {
    const v = Math.abs(data[i]!);
    if (v > result && v !== Infinity) result = v;
  }
  return result;
}

function indexOf(flat: number, shape: Shape): number[] {
  return stridesOf(shape).map((stride, axis) => Math.floor(flat / stride) % shape[axis]!);
}
