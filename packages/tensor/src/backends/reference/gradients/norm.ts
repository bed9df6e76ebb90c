import type { Bound } from '../../../kernel.js';
import type {
  BatchNormGradientInputs,
  BatchNormGradientParams,
  BatchNormReduceInputs,
  LayerNormGradientInputs,
  NormParams,
  ParameterSlots,
  RowsInputs,
} from '../../../ops/gradients/norm.js';
import type { ReferenceArray } from '../backend.js';

/** Mean and reciprocal deviation of one row. */
function rowMoments({ data, shape }: ReferenceArray, row: number, eps: number): { mean: number; rate: number } {
  const channels = shape.at(-1)!;
  let mean = 0;
  for (let c = 0; c < channels; c++) mean += data[row + c]! / channels;
  let variance = 0;
  for (let c = 0; c < channels; c++) variance += (data[row + c]! - mean) ** 2 / channels;
  return { mean, rate: 1 / Math.sqrt(variance + eps) };
}

export function layerNormGradientReference(
  { x, gy, weight }: Bound<LayerNormGradientInputs, ReferenceArray>,
  { gx }: { readonly gx: ReferenceArray },
  { eps }: NormParams,
): void {
  const channels = x.shape.at(-1)!;
  for (let row = 0; row < x.data.length; row += channels) {
    const { mean, rate } = rowMoments(x, row, eps);
    const normal = (c: number): number => (x.data[row + c]! - mean) * rate;
    const weighted = (c: number): number => gy.data[row + c]! * (weight?.data[c] ?? 1);
    let plain = 0;
    let slope = 0;
    for (let c = 0; c < channels; c++) {
      plain += weighted(c) / channels;
      slope += (weighted(c) * normal(c)) / channels;
    }
    for (let c = 0; c < channels; c++) gx.data[row + c] = rate * (weighted(c) - plain - normal(c) * slope);
  }
}

export function layerNormParameterGradientReference(
  { x, gy }: Bound<RowsInputs, ReferenceArray>,
  { weight, bias }: Bound<ParameterSlots, ReferenceArray>,
  { eps }: NormParams,
): void {
  const channels = x.shape.at(-1)!;
  weight.data.fill(0);
  bias.data.fill(0);
  for (let row = 0; row < x.data.length; row += channels) {
    const { mean, rate } = rowMoments(x, row, eps);
    for (let c = 0; c < channels; c++) {
      weight.data[c]! += gy.data[row + c]! * (x.data[row + c]! - mean) * rate;
      bias.data[c]! += gy.data[row + c]!;
    }
  }
}

export function channelMomentsReference(
  { x }: { readonly x: ReferenceArray },
  { mean, variance }: { readonly mean: ReferenceArray; readonly variance: ReferenceArray },
): void {
  const channels = x.shape.at(-1)!;
  const rows = x.data.length / channels;
  mean.data.fill(0);
  variance.data.fill(0);
  for (let i = 0; i < x.data.length; i++) mean.data[i % channels]! += x.data[i]! / rows;
  for (let i = 0; i < x.data.length; i++) {
    variance.data[i % channels]! += (x.data[i]! - mean.data[i % channels]!) ** 2 / rows;
  }
}

export function batchNormReduceReference(
  { x, gy, mean, variance }: Bound<BatchNormReduceInputs, ReferenceArray>,
  { weight, bias }: Bound<ParameterSlots, ReferenceArray>,
  { eps }: NormParams,
): void {
  const channels = x.shape.at(-1)!;
  weight.data.fill(0);
  bias.data.fill(0);
  for (let i = 0; i < x.data.length; i++) {
    const c = i % channels;
    weight.data[c]! += (gy.data[i]! * (x.data[i]! - mean.data[c]!)) / Math.sqrt(variance.data[c]! + eps);
    bias.data[c]! += gy.data[i]!;
  }
}

export function batchNormGradientReference(
  { x, gy, mean, variance, weight, gradWeight, gradBias }: Bound<BatchNormGradientInputs, ReferenceArray>,
  { gx }: { readonly gx: ReferenceArray },
  { eps, count }: BatchNormGradientParams,
): void {
  const channels = x.shape.at(-1)!;
  for (let i = 0; i < x.data.length; i++) {
    const c = i % channels;
    const rate = 1 / Math.sqrt(variance.data[c]! + eps);
    const normal = (x.data[i]! - mean.data[c]!) * rate;
    const centred = gy.data[i]! - gradBias.data[c]! / count - (normal * gradWeight.data[c]!) / count;
    gx.data[i] = (weight?.data[c] ?? 1) * rate * centred;
  }
}
