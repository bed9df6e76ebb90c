import { channelAffineReference, foldBatchNormReference, layerNormReference } from '../backends/reference/norm.js';
import { channelAffineWasm, foldBatchNormWasm, layerNormWasm } from '../backends/wasm/kernels/norm.js';
import { channelAffineWebGpu, foldBatchNormWebGpu, layerNormWebGpu } from '../backends/webgpu/kernels/norm.js';
import { ShapeError } from '../errors.js';
import { defineKernel, type Slot } from '../kernel.js';
import { showShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkDType, checkShapeIs } from './check.js';

/** Slots: x `[…, C]`, weight and bias `[C]`, y like x. */
export interface LayerNormInputs {
  readonly x: Slot;
  readonly weight?: Slot;
  readonly bias?: Slot;
}

export interface LayerNormParams {
  readonly eps: number;
}

const layerNormKernel = defineKernel<LayerNormInputs, { y: Slot }, LayerNormParams>('layerNorm', {
  reference: layerNormReference,
  wasm: layerNormWasm,
  webgpu: layerNormWebGpu,
});

export interface LayerNormOptions {
  /** `[C]`. Default: 1. */
  readonly weight?: Tensor | undefined;
  /** `[C]`. Default: 0. */
  readonly bias?: Tensor | undefined;
  /** Added to the (biased) variance. Default: 1e-5, PyTorch's; InternImage uses 1e-6 everywhere. */
  readonly eps?: number;
}

/**
 * Normalises over the last axis: `(x − mean) / sqrt(var + eps) · weight + bias`.
 *
 * @param x `[…, C]`, f32.
 * @throws ShapeError when weight or bias is not `[C]`.
 */
export function layerNorm(x: Tensor, { weight, bias, eps = 1e-5 }: LayerNormOptions = {}): Tensor {
  checkDType('layerNorm x', x);
  const channels = lastSize('layerNorm', x);
  checkShapeIs('layerNorm weight', weight, [channels]);
  checkShapeIs('layerNorm bias', bias, [channels]);
  const y = x.device.empty(x.shape);
  const inputs = { x, ...(weight && { weight }), ...(bias && { bias }) };
  x.device.enqueue(layerNormKernel, { inputs, outputs: { y }, params: { eps } });
  return y;
}

/** Slots: all `[C]`. */
export interface FoldBatchNormInputs {
  readonly mean: Slot;
  readonly variance: Slot;
  readonly weight?: Slot;
  readonly bias?: Slot;
}

const foldBatchNormKernel = defineKernel<FoldBatchNormInputs, { scale: Slot; shift: Slot }, { readonly eps: number }>(
  'foldBatchNorm',
  { reference: foldBatchNormReference, wasm: foldBatchNormWasm, webgpu: foldBatchNormWebGpu },
);

export interface BatchNormOptions {
  /** Running mean, `[C]`. */
  readonly mean: Tensor;
  /** Running variance, `[C]`. */
  readonly variance: Tensor;
  /** `[C]`. Default: 1. */
  readonly weight?: Tensor | undefined;
  /** `[C]`. Default: 0. */
  readonly bias?: Tensor | undefined;
  /** Default: 1e-5. */
  readonly eps?: number;
}

/**
 * The affine map that an inference-mode batch norm is: `scale = weight / sqrt(variance + eps)`,
 * `shift = bias − mean · scale`, both `[C]`. A convolution takes them as its epilogue's `scale` and `bias`.
 */
export function foldBatchNorm({ mean, variance, weight, bias, eps = 1e-5 }: BatchNormOptions): {
  scale: Tensor;
  shift: Tensor;
} {
  const shape = mean.shape;
  checkShapeIs('foldBatchNorm variance', variance, shape);
  checkShapeIs('foldBatchNorm weight', weight, shape);
  checkShapeIs('foldBatchNorm bias', bias, shape);
  const scale = mean.device.empty(shape);
  const shift = mean.device.empty(shape);
  const inputs = { mean, variance, ...(weight && { weight }), ...(bias && { bias }) };
  mean.device.enqueue(foldBatchNormKernel, { inputs, outputs: { scale, shift }, params: { eps } });
  return { scale, shift };
}

/** Slots: x `[…, C]`, scale and shift `[C]`, y like x. */
export interface ChannelAffineInputs {
  readonly x: Slot;
  readonly scale: Slot;
  readonly shift: Slot;
}

const channelAffineKernel = defineKernel<ChannelAffineInputs, { y: Slot }, object>('channelAffine', {
  reference: channelAffineReference,
  wasm: channelAffineWasm,
  webgpu: channelAffineWebGpu,
});

/**
 * Batch norm with running statistics (inference mode), over the last axis.
 *
 * @param x `[…, C]`, f32.
 */
export function batchNorm(x: Tensor, options: BatchNormOptions): Tensor {
  checkDType('batchNorm x', x);
  checkShapeIs('batchNorm mean', options.mean, [lastSize('batchNorm', x)]);
  const { scale, shift } = foldBatchNorm(options);
  const y = x.device.empty(x.shape);
  x.device.enqueue(channelAffineKernel, { inputs: { x, scale, shift }, outputs: { y }, params: {} });
  scale.dispose();
  shift.dispose();
  return y;
}

function lastSize(what: string, x: Tensor): number {
  const size = x.shape.at(-1);
  if (size === undefined) throw new ShapeError(`${what}: needs at least one axis, got shape ${showShape(x.shape)}`);
  return size;
}
