/** What tests of activations stored as halves share. */
import { floatToHalf, halfToFloat } from '../half.js';
import { mul } from '../ops/elementwise.js';
import { reshape } from '../ops/layout.js';
import type { Tensor } from '../tensor.js';
import { expectClose, type Tolerance } from './compare.js';
import type { HostTensor } from './host-tensor.js';

/** What halves keep of a number, rounded to nearest. */
export const roundedToHalf = (value: number): number => halfToFloat(floatToHalf(value));

/**
 * A copy that a device stores as halves if it stores activations so, whatever the shape: results are where their rows are
 * whole vectors of four.
 *
 * @param x of a multiple of four elements.
 */
export const asHalves = (x: Tensor): Tensor => reshape(mul(reshape(x, [x.size / 4, 4]), 1), x.shape);

/**
 * Throws unless all elements are halves that may stand for what is expected: each is off by no more than `tolerance` and one
 * step of its own, at most 2^-10 of it, or 2^-24 near 0. WGSL leaves open which of the two nearest halves a value becomes.
 */
export function expectHalves(actual: HostTensor, expected: HostTensor<Float64Array>, tolerance: Tolerance): void {
  const other = Array.from(actual.data).find((value) => !Object.is(value, roundedToHalf(value)));
  if (other !== undefined) throw new Error(`${other} is no half`);
  // As close as the nearest value that the step allows.
  const data = expected.data.map((value, i) => {
    const step = Math.max(2 ** -10 * Math.abs(value), 2 ** -24);
    return Math.min(Math.max(actual.data[i]!, value - step), value + step);
  });
  expectClose(actual, { shape: expected.shape, data }, tolerance);
}
