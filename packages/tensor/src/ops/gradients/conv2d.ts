import { depthwiseConv2dWeightGradientReference } from '../../backends/reference/gradients/conv2d.js';
import { depthwiseConv2dWeightGradientWasm } from '../../backends/wasm/kernels/gradients/conv2d.js';
import { depthwiseConv2dWeightGradientWebGpu } from '../../backends/webgpu/kernels/gradients/conv2d.js';
import { ShapeError } from '../../errors.js';
import { defineKernel, type Slot } from '../../kernel.js';
import { pair, showShape, sizeOf, type Pair } from '../../shape.js';
import type { Tensor } from '../../tensor.js';
import { checkDType, checkRank } from '../check.js';

/** Slots: x `[N, H, W, C]`, gy `[N, H', W', C]`, gw `[C, 1, kH, kW]`. */
export interface DepthwiseWeightInputs {
  readonly x: Slot;
  readonly gy: Slot;
}

/** The convolution's, each `[vertical, horizontal]`. */
export interface DepthwiseWeightParams {
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
}

const depthwiseWeightGradientKernel = defineKernel<DepthwiseWeightInputs, { gw: Slot }, DepthwiseWeightParams>(
  'depthwiseConv2dWeightGradient',
  {
    reference: depthwiseConv2dWeightGradientReference,
    wasm: depthwiseConv2dWeightGradientWasm,
    webgpu: depthwiseConv2dWeightGradientWebGpu,
    flops: ({ gy }, { gw }) => 2 * sizeOf(gy.shape) * gw.shape[2]! * gw.shape[3]!,
  },
);

export interface DepthwiseWeightOptions {
  /** Default: 1. */
  readonly stride?: Pair;
  /** Default: 0. */
  readonly padding?: Pair;
  /** Default: 1. */
  readonly dilation?: Pair;
}

/**
 * Gradient of a depthwise convolution's weight:
 * `gw[c, 0, ky, kx] = Σ gy[n, oy, ox, c] · x[n, oy · stride − padding + ky · dilation, …, c]`.
 *
 * @param x `[N, H, W, C]`, the convolution's input. @param gy `[N, H', W', C]`.
 * @param kernel `[kH, kW]`.
 * @returns `[C, 1, kH, kW]`.
 */
export function depthwiseConv2dWeightGradient(
  x: Tensor,
  gy: Tensor,
  kernel: readonly [number, number],
  { stride = 1, padding = 0, dilation = 1 }: DepthwiseWeightOptions = {},
): Tensor {
  for (const [key, tensor] of Object.entries({ x, gy })) {
    checkDType(`depthwiseConv2dWeightGradient ${key}`, tensor);
    checkRank(`depthwiseConv2dWeightGradient ${key}`, tensor, 4, '[N, H, W, C]');
  }
  const channels = x.shape[3]!;
  if (gy.shape[0] !== x.shape[0] || gy.shape[3] !== channels) {
    throw new ShapeError(
      `depthwiseConv2dWeightGradient: ${showShape(gy.shape)} is not the shape of a result for ${showShape(x.shape)}`,
    );
  }
  const gw = x.device.empty([channels, 1, ...kernel]);
  const params = { stride: pair(stride), padding: pair(padding), dilation: pair(dilation) };
  x.device.enqueue(depthwiseWeightGradientKernel, { inputs: { x, gy }, outputs: { gw }, params });
  return gw;
}
