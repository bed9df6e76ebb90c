import { channelAffineReference, foldBatchNormReference, layerNormReference } from '../backends/reference/norm.js';
import { channelAffineWasm, foldBatchNormWasm, layerNormWasm } from '../backends/wasm/kernels/norm.js';
import { channelAffineWebGpu, foldBatchNormWebGpu, layerNormWebGpu } from '../backends/webgpu/kernels/norm.js';
import { differentiable, type Gradient } from '../autograd/tape.js';
import { ShapeError } from '../errors.js';
import { defineKernel, type Slot } from '../kernel.js';
import { showShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { binary } from './binary.js';
import { checkDType, checkShapeIs } from './check.js';
import {
  batchNormGradient,
  batchNormReduce,
  channelMoments,
  layerNormGradient,
  layerNormParameterGradient,
} from './gradients/index.js';

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
  const gradient: Gradient = (gy, [input, factor], [needsX, needsWeight, needsBias]) => {
    const gx = needsX ? layerNormGradient(input!, gy, { weight: factor, eps }) : null;
    if (!needsWeight && !needsBias) return [gx];
    const parameters = layerNormParameterGradient(input!, gy, { eps });
    return [gx, parameters.weight, parameters.bias];
  };
  const saved = weight ? [x, weight] : [x];
  return differentiable(y, { name: 'layerNorm', inputs: [x, weight, bias], saved, gradient });
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
  const y = affine(x, options);
  const { mean, variance, weight, bias, eps = 1e-5 } = options;
  const gradient: Gradient = (gy, [input, center, spread, factor], [needsX, needsWeight, needsBias]) => {
    const { scale } = foldBatchNorm({ mean: center!, variance: spread!, weight: factor, eps });
    const gx = needsX ? binary('mul', gy, scale) : null;
    if (!needsWeight && !needsBias) return [gx];
    const parameters = batchNormReduce(input!, gy, center!, spread!, eps);
    return [gx, parameters.weight, parameters.bias];
  };
  const saved = weight ? [x, mean, variance, weight] : [x, mean, variance];
  return differentiable(y, { name: 'batchNorm', inputs: [x, weight, bias], saved, gradient });
}

function affine(x: Tensor, options: BatchNormOptions): Tensor {
  const { scale, shift } = foldBatchNorm(options);
  const y = x.device.empty(x.shape);
  x.device.enqueue(channelAffineKernel, { inputs: { x, scale, shift }, outputs: { y }, params: {} });
  scale.dispose();
  shift.dispose();
  return y;
}

/** Mean and biased variance of each channel over `count` values. */
export interface Moments {
  /** `[C]`. */
  readonly mean: Tensor;
  /** `[C]`. */
  readonly variance: Tensor;
  readonly count: number;
}

/**
 * Where statistics over several batches that run at the same time plug in (SyncBN). Each function is called once per batch
 * norm and pass, in the same order everywhere, and gives what all participants agree on.
 */
export interface MomentsSync {
  /** The moments of everybody's values together. */
  moments(own: Moments): Moments;
  /** Sums over everybody of `Σ gy · x̂` and `Σ gy`, both `[C]`, for the gradient of the input. */
  sums(own: { readonly weight: Tensor; readonly bias: Tensor }): { readonly weight: Tensor; readonly bias: Tensor };
}

export interface BatchNormTrainOptions {
  /** `[C]`. Default: 1. */
  readonly weight?: Tensor | undefined;
  /** `[C]`. Default: 0. */
  readonly bias?: Tensor | undefined;
  /** Default: 1e-5. */
  readonly eps?: number;
  /** Default: the statistics are those of this batch alone. */
  readonly sync?: MomentsSync | undefined;
}

/**
 * Batch norm with the statistics of the batch itself (training mode), over the last axis; the gradient flows through the
 * statistics.
 *
 * @param x `[…, C]`, f32.
 * @returns the result and the moments that it used, which are the caller's; no gradient flows through those.
 * @throws ShapeError when there is only one value per channel: its variance says nothing, and PyTorch refuses it, too.
 */
export function batchNormTrain(x: Tensor, options: BatchNormTrainOptions = {}): { y: Tensor; moments: Moments } {
  const { weight, bias, eps = 1e-5, sync } = options;
  checkDType('batchNormTrain x', x);
  const channels = lastSize('batchNormTrain', x);
  checkShapeIs('batchNormTrain weight', weight, [channels]);
  checkShapeIs('batchNormTrain bias', bias, [channels]);
  const own = { ...channelMoments(x), count: x.size / channels };
  const moments = sync ? sync.moments(own) : own;
  const { mean, variance, count } = moments;
  if (!(count > 1)) {
    throw new ShapeError(
      `batchNormTrain: x ${showShape(x.shape)} has one value per channel, and batch statistics need more: use a larger batch or a larger image, or statistics over several batches (sync)`,
    );
  }
  const y = affine(x, { mean, variance, weight, bias, eps });
  const gradient: Gradient = (gy, [input, center, spread, factor], [needsX]) => {
    const parameters = batchNormReduce(input!, gy, center!, spread!, eps);
    if (!needsX) return [null, parameters.weight, parameters.bias];
    const sums = sync ? sync.sums(parameters) : parameters;
    const statistics = { mean: center!, variance: spread!, weight: factor, eps, count };
    const gx = batchNormGradient(input!, gy, { ...statistics, gradWeight: sums.weight, gradBias: sums.bias });
    return [gx, parameters.weight, parameters.bias];
  };
  const saved = weight ? [x, mean, variance, weight] : [x, mean, variance];
  differentiable(y, { name: 'batchNormTrain', inputs: [x, weight, bias], saved, gradient });
  return { y, moments };
}

function lastSize(what: string, x: Tensor): number {
  const size = x.shape.at(-1);
  if (size === undefined) throw new ShapeError(`${what}: needs at least one axis, got shape ${showShape(x.shape)}`);
  return size;
}
