import { conv2dWeightGradientReference } from '../../backends/reference/gradients/conv2d.js';
import { conv2dWeightGradientWinogradWasm } from '../../backends/wasm/kernels/gradients/conv2d-winograd.js';
import { conv2dWeightGradientWinogradWebGpu } from '../../backends/webgpu/kernels/gradients/conv2d-winograd.js';
import { fitsWinograd, winogradTiles, type ConvolutionShape } from '../../backends/convolution.js';
import { defineKernel, type Slot } from '../../kernel.js';
import { sizeOf } from '../../shape.js';
import type { Tensor } from '../../tensor.js';

/** Slots: x `[N, H, W, C]`, gy `[N, Ho, Wo, O]`, gw `[O, C, 3, 3]`. */
export interface DenseWeightInputs {
  readonly x: Slot;
  readonly gy: Slot;
}

export interface DenseWeightParams {
  /** `[vertical, horizontal]`. */
  readonly padding: readonly [number, number];
}

const kernel = defineKernel<DenseWeightInputs, { gw: Slot }, DenseWeightParams>('conv2dWeightGradient', {
  flops: ({ gy }, { gw }) => 2 * sizeOf(gy.shape) * sizeOf(gw.shape.slice(1)),
  reference: conv2dWeightGradientReference,
  wasm: conv2dWeightGradientWinogradWasm,
  webgpu: conv2dWeightGradientWinogradWebGpu,
});

/** Fewer channels or tiles than these make the transforms cost more than the products that they save. */
const fewChannels = 8;
const fewTiles = 16;

/**
 * The gradient of a 3×3 convolution's weights with a quarter of the multiplications, where the convolution is one of many
 * pixels and channels and the device can.
 *
 * @param x `[N, H, W, C]`. @param gy `[N, Ho, Wo, O]`.
 * @returns `[O, C, 3, 3]`, or null where another way is better.
 */
export function winogradWeightGradient(
  x: Tensor,
  gy: Tensor,
  shape: ConvolutionShape,
  padding: readonly [number, number],
): Tensor | null {
  const { channels, outputs } = shape;
  const pays = Math.min(channels, outputs) >= fewChannels && winogradTiles(shape) >= fewTiles;
  if (!x.device.supports(kernel) || !fitsWinograd(shape) || !pays) return null;
  const gw = x.device.empty([outputs, channels, 3, 3]);
  x.device.enqueue(kernel, { inputs: { x, gy }, outputs: { gw }, params: { padding } });
  return gw;
}
