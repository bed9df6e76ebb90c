import type { Bound } from '../../../kernel.js';
import type {
  CrossEntropyGradientInputs,
  CrossEntropyInputs,
  CrossEntropyOutputs,
  CrossEntropyParams,
} from '../../../ops/gradients/cross-entropy.js';
import { sizeOf, type Shape } from '../../../shape.js';
import type { ReferenceArray } from '../backend.js';
import { resizeBilinearReference } from '../spatial.js';
import { resizeBilinearGradientReference } from './spatial.js';

/** The largest element of a row, its index, and the logarithm of `Σ e^(x − largest)`. */
function rowSoftmax(x: Float64Array, row: number, channels: number): { best: number; largest: number; log: number } {
  let best = 0;
  for (let c = 1; c < channels; c++) if (x[row + c]! > x[row + best]!) best = c;
  const largest = x[row + best]!;
  let total = 0;
  for (let c = 0; c < channels; c++) total += Math.exp(x[row + c]! - largest);
  return { best, largest, log: Math.log(total) };
}

export function crossEntropyReference(
  { x, labels }: Bound<CrossEntropyInputs, ReferenceArray>,
  { loss, correct }: Bound<CrossEntropyOutputs, ReferenceArray>,
  { ignoreIndex }: CrossEntropyParams,
): void {
  const channels = x.shape.at(-1)!;
  for (let i = 0; i < labels.data.length; i++) {
    const label = labels.data[i]!;
    const ignored = label === ignoreIndex;
    const { best, largest, log } = rowSoftmax(x.data, i * channels, channels);
    const own = label >= 0 && label < channels ? x.data[i * channels + label]! : NaN;
    loss.data[i] = ignored ? 0 : largest - own + log;
    correct.data[i] = !ignored && best === label ? 1 : 0;
  }
}

export function crossEntropyGradientReference(
  { x, labels, scale }: Bound<CrossEntropyGradientInputs, ReferenceArray>,
  { gx }: { readonly gx: ReferenceArray },
  { ignoreIndex }: CrossEntropyParams,
): void {
  const channels = x.shape.at(-1)!;
  for (let i = 0; i < labels.data.length; i++) {
    const label = labels.data[i]!;
    const row = i * channels;
    const { largest, log } = rowSoftmax(x.data, row, channels);
    const factor = label >= 0 && label < channels ? scale.data[0]! : NaN;
    for (let c = 0; c < channels; c++) {
      const softmax = Math.exp(x.data[row + c]! - largest - log);
      gx.data[row + c] = label === ignoreIndex ? 0 : factor * (softmax - (c === label ? 1 : 0));
    }
  }
}

function floats(shape: Shape): ReferenceArray {
  return { shape, dtype: 'f32', data: new Float64Array(sizeOf(shape)) };
}

/** The logits at the size of the labels. */
function resized(x: ReferenceArray, labels: ReferenceArray): ReferenceArray {
  const logits = floats([...labels.shape, x.shape.at(-1)!]);
  resizeBilinearReference({ x }, { y: logits });
  return logits;
}

/** Literally the two steps that the fused kernels must equal. */
export function resizeCrossEntropyReference(
  { x, labels }: Bound<CrossEntropyInputs, ReferenceArray>,
  outputs: Bound<CrossEntropyOutputs, ReferenceArray>,
  params: CrossEntropyParams,
): void {
  crossEntropyReference({ x: resized(x, labels), labels }, outputs, params);
}

/** Literally the steps that the fused kernels must equal. */
export function resizeCrossEntropyGradientReference(
  { x, labels, scale }: Bound<CrossEntropyGradientInputs, ReferenceArray>,
  { gx }: { readonly gx: ReferenceArray },
  params: CrossEntropyParams,
): void {
  const logits = resized(x, labels);
  const gradient = floats(logits.shape);
  crossEntropyGradientReference({ x: logits, labels, scale }, { gx: gradient }, params);
  resizeBilinearGradientReference({ gy: gradient }, { gx });
}
