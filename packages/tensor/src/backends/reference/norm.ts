import type { Bound } from '../../kernel.js';
import type { ChannelAffineInputs, FoldBatchNormInputs, LayerNormInputs, LayerNormParams } from '../../ops/norm.js';
import type { ReferenceArray } from './backend.js';

export function layerNormReference(
  { x, weight, bias }: Bound<LayerNormInputs, ReferenceArray>,
  { y }: { readonly y: ReferenceArray },
  { eps }: LayerNormParams,
): void {
  const channels = x.shape.at(-1)!;
  for (let row = 0; row < x.data.length; row += channels) {
    let mean = 0;
    for (let c = 0; c < channels; c++) mean += x.data[row + c]! / channels;
    let variance = 0;
    for (let c = 0; c < channels; c++) variance += (x.data[row + c]! - mean) ** 2 / channels;
    const scale = 1 / Math.sqrt(variance + eps);
    for (let c = 0; c < channels; c++) {
      y.data[row + c] = (x.data[row + c]! - mean) * scale * (weight?.data[c] ?? 1) + (bias?.data[c] ?? 0);
    }
  }
}

export function foldBatchNormReference(
  { mean, variance, weight, bias }: Bound<FoldBatchNormInputs, ReferenceArray>,
  { scale, shift }: { readonly scale: ReferenceArray; readonly shift: ReferenceArray },
  { eps }: { readonly eps: number },
): void {
  for (let c = 0; c < scale.data.length; c++) {
    const factor = (weight?.data[c] ?? 1) / Math.sqrt(variance.data[c]! + eps);
    scale.data[c] = factor;
    shift.data[c] = (bias?.data[c] ?? 0) - mean.data[c]! * factor;
  }
}

export function channelAffineReference(
  { x, scale, shift }: Bound<ChannelAffineInputs, ReferenceArray>,
  { y }: { readonly y: ReferenceArray },
): void {
  const channels = scale.data.length;
  for (let i = 0; i < y.data.length; i++) {
    const c = i % channels;
    y.data[i] = x.data[i]! * scale.data[c]! + shift.data[c]!;
  }
}
