import type { Bound } from '../../kernel.js';
import type { Activation, EpilogueSlots } from '../../ops/epilogue.js';
import type { ReferenceArray } from './backend.js';
import { unaryFunctions } from './elementwise.js';

/** `y = residual + layerScale · activation(scale · y + bias)` over the stored product, in place; channels are last. */
export function applyEpilogue(
  { scale, bias, layerScale, residual }: Bound<EpilogueSlots, ReferenceArray>,
  y: ReferenceArray,
  activation: Activation,
): void {
  const channels = y.shape.at(-1) ?? 1;
  for (let i = 0; i < y.data.length; i++) {
    const c = i % channels;
    let v = y.data[i]!;
    if (scale) v *= scale.data[c]!;
    if (bias) v += bias.data[c]!;
    if (activation !== 'none') v = unaryFunctions[activation](v);
    if (layerScale) v *= layerScale.data[c]!;
    if (residual) v += residual.data[i]!;
    y.data[i] = v;
  }
}
