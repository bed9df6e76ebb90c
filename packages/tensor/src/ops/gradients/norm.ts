import {
  batchNormGradientReference,
  batchNormReduceReference,
  channelMomentsReference,
  layerNormGradientReference,
  layerNormParameterGradientReference,
} from '../../backends/reference/gradients/norm.js';
import {
  batchNormGradientWasm,
  batchNormReduceWasm,
  channelMomentsWasm,
  layerNormGradientWasm,
  layerNormParameterGradientWasm,
} from '../../backends/wasm/kernels/gradients/norm.js';
import {
  batchNormGradientWebGpu,
  batchNormReduceWebGpu,
  channelMomentsWebGpu,
  layerNormGradientWebGpu,
  layerNormParameterGradientWebGpu,
} from '../../backends/webgpu/kernels/gradients/norm.js';
import { defineKernel, type Slot } from '../../kernel.js';
import type { Tensor } from '../../tensor.js';
import { checkDType, checkShapeIs } from '../check.js';

/** Slots: x and gy `[…, C]`, weight `[C]`, gx like x. */
export interface LayerNormGradientInputs {
  readonly x: Slot;
  readonly gy: Slot;
  readonly weight?: Slot;
}

export interface NormParams {
  readonly eps: number;
}

const layerNormGradientKernel = defineKernel<LayerNormGradientInputs, { gx: Slot }, NormParams>('layerNormGradient', {
  reference: layerNormGradientReference,
  wasm: layerNormGradientWasm,
  webgpu: layerNormGradientWebGpu,
});

export interface LayerNormGradientOptions {
  /** `[C]`, the layer norm's. Default: 1. */
  readonly weight?: Tensor | undefined;
  /** The layer norm's. */
  readonly eps: number;
}

/**
 * Gradient of a layer norm's input: with `g = gy · weight`, `x̂ = (x − mean) · rstd` and means over the last axis,
 * `rstd · (g − mean(g) − x̂ · mean(g · x̂))`. Mean and deviation are computed again from x.
 *
 * @param x `[…, C]`. @param gy like x.
 */
export function layerNormGradient(x: Tensor, gy: Tensor, { weight, eps }: LayerNormGradientOptions): Tensor {
  checkRows('layerNormGradient', x, gy);
  checkShapeIs('layerNormGradient weight', weight, x.shape.slice(-1));
  const gx = x.device.empty(x.shape);
  const inputs = { x, gy, ...(weight && { weight }) };
  x.device.enqueue(layerNormGradientKernel, { inputs, outputs: { gx }, params: { eps } });
  return gx;
}

/** Slots: x and gy `[…, C]`; weight and bias of the outputs are gradients, `[C]`. */
export interface RowsInputs {
  readonly x: Slot;
  readonly gy: Slot;
}

export interface ParameterSlots {
  readonly weight: Slot;
  readonly bias: Slot;
}

const layerNormParameterGradientKernel = defineKernel<RowsInputs, ParameterSlots, NormParams>(
  'layerNormParameterGradient',
  {
    reference: layerNormParameterGradientReference,
    wasm: layerNormParameterGradientWasm,
    webgpu: layerNormParameterGradientWebGpu,
  },
);

/** Gradients of a normalisation's parameters, both `[C]`. */
export interface ParameterGradients {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

/**
 * Gradients of a layer norm's parameters, summed over all rows: `weight = Σ gy · x̂`, `bias = Σ gy`.
 *
 * @param x `[…, C]`. @param gy like x.
 */
export function layerNormParameterGradient(x: Tensor, gy: Tensor, { eps }: NormParams): ParameterGradients {
  checkRows('layerNormParameterGradient', x, gy);
  const outputs = parameterLike(x);
  x.device.enqueue(layerNormParameterGradientKernel, { inputs: { x, gy }, outputs, params: { eps } });
  return outputs;
}

const channelMomentsKernel = defineKernel<{ x: Slot }, { mean: Slot; variance: Slot }, object>('channelMoments', {
  reference: channelMomentsReference,
  wasm: channelMomentsWasm,
  webgpu: channelMomentsWebGpu,
});

/**
 * Mean and biased variance of each channel over all other axes; 0 where there is nothing to average.
 *
 * @param x `[…, C]`. @returns both `[C]`.
 */
export function channelMoments(x: Tensor): { mean: Tensor; variance: Tensor } {
  checkDType('channelMoments', x);
  const mean = x.device.empty(x.shape.slice(-1));
  const variance = x.device.empty(x.shape.slice(-1));
  x.device.enqueue(channelMomentsKernel, { inputs: { x }, outputs: { mean, variance }, params: {} });
  return { mean, variance };
}

/** Slots: x and gy `[…, C]`, mean and variance `[C]`. */
export interface BatchNormReduceInputs extends RowsInputs {
  readonly mean: Slot;
  readonly variance: Slot;
}

const batchNormReduceKernel = defineKernel<BatchNormReduceInputs, ParameterSlots, NormParams>('batchNormReduce', {
  reference: batchNormReduceReference,
  wasm: batchNormReduceWasm,
  webgpu: batchNormReduceWebGpu,
});

/**
 * Gradients of a batch norm's parameters, summed over all axes but the last: `weight = Σ gy · x̂` and `bias = Σ gy`, with
 * `x̂ = (x − mean) / sqrt(variance + eps)`.
 *
 * @param x `[…, C]`. @param gy like x. @param mean `[C]`. @param variance `[C]`, biased.
 */
export function batchNormReduce(
  x: Tensor,
  gy: Tensor,
  mean: Tensor,
  variance: Tensor,
  eps: number,
): ParameterGradients {
  checkRows('batchNormReduce', x, gy);
  checkShapeIs('batchNormReduce mean', mean, x.shape.slice(-1));
  checkShapeIs('batchNormReduce variance', variance, x.shape.slice(-1));
  const outputs = parameterLike(x);
  x.device.enqueue(batchNormReduceKernel, { inputs: { x, gy, mean, variance }, outputs, params: { eps } });
  return outputs;
}

/** Slots: x and gy `[…, C]`, the others `[C]`, gx like x. */
export interface BatchNormGradientInputs extends BatchNormReduceInputs {
  readonly weight?: Slot;
  readonly gradWeight: Slot;
  readonly gradBias: Slot;
}

export interface BatchNormGradientParams extends NormParams {
  readonly count: number;
}

const batchNormGradientKernel = defineKernel<BatchNormGradientInputs, { gx: Slot }, BatchNormGradientParams>(
  'batchNormGradient',
  { reference: batchNormGradientReference, wasm: batchNormGradientWasm, webgpu: batchNormGradientWebGpu },
);

export interface BatchNormGradientOptions {
  /** The batch's, `[C]`. */
  readonly mean: Tensor;
  /** The batch's, biased, `[C]`. */
  readonly variance: Tensor;
  /** `[C]`. Default: 1. */
  readonly weight?: Tensor | undefined;
  readonly eps: number;
  /** `Σ gy · x̂`, `[C]`, from {@link batchNormReduce}. */
  readonly gradWeight: Tensor;
  /** `Σ gy`, `[C]`. */
  readonly gradBias: Tensor;
  /** Values per channel that the statistics and the two sums were taken over. */
  readonly count: number;
}

/**
 * Gradient of the input of a batch norm in training mode:
 * `weight · rstd · (gy − gradBias / count − x̂ · gradWeight / count)`.
 *
 * @param x `[…, C]`. @param gy like x.
 */
export function batchNormGradient(x: Tensor, gy: Tensor, options: BatchNormGradientOptions): Tensor {
  const { mean, variance, weight, gradWeight, gradBias, eps, count } = options;
  checkRows('batchNormGradient', x, gy);
  for (const key of ['mean', 'variance', 'weight', 'gradWeight', 'gradBias'] as const) {
    checkShapeIs(`batchNormGradient ${key}`, options[key], x.shape.slice(-1));
  }
  const gx = x.device.empty(x.shape);
  const inputs = { x, gy, mean, variance, gradWeight, gradBias, ...(weight && { weight }) };
  x.device.enqueue(batchNormGradientKernel, { inputs, outputs: { gx }, params: { eps, count } });
  return gx;
}

function checkRows(what: string, x: Tensor, gy: Tensor): void {
  checkDType(`${what} x`, x);
  checkDType(`${what} gy`, gy);
  checkShapeIs(`${what} gy`, gy, x.shape);
}

function parameterLike(x: Tensor): ParameterGradients {
  return { weight: x.device.empty(x.shape.slice(-1)), bias: x.device.empty(x.shape.slice(-1)) };
}
