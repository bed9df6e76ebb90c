import {
  adaptiveAvgPool2dReference,
  resizeArgmaxReference,
  resizeBilinearReference,
} from '../backends/reference/spatial.js';
import { adaptiveAvgPool2dWasm, resizeArgmaxWasm, resizeBilinearWasm } from '../backends/wasm/kernels/spatial.js';
import { adaptiveAvgPool2dWebGpu } from '../backends/webgpu/kernels/pooling.js';
import { resizeArgmaxWebGpu } from '../backends/webgpu/kernels/resize-argmax.js';
import { resizeBilinearWebGpu } from '../backends/webgpu/kernels/resize.js';
import { differentiable } from '../autograd/tape.js';
import { ShapeError } from '../errors.js';
import { defineKernel, type Slot } from '../kernel.js';
import { pair, showShape, type Pair } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkDType, checkRank } from './check.js';
import { adaptiveAvgPool2dGradient, resizeBilinearGradient } from './gradients/index.js';

const resizeBilinearKernel = defineKernel<{ x: Slot }, { y: Slot }, object>('resizeBilinear', {
  reference: resizeBilinearReference,
  wasm: resizeBilinearWasm,
  webgpu: resizeBilinearWebGpu,
});

/**
 * Bilinear resize as PyTorch's `interpolate(mode='bilinear', align_corners=False)`: output pixel `i` samples
 * `(i + 0.5) · in / out − 0.5`, clamped below at 0; no antialiasing.
 *
 * @param x `[N, H, W, C]`, f32. @param size `[height, width]` of the result.
 */
export function resizeBilinear(x: Tensor, size: readonly [number, number]): Tensor {
  const [n, h, w, c] = checkImage('resizeBilinear', x, size);
  const y = x.device.empty([n, size[0], size[1], c]);
  x.device.enqueue(resizeBilinearKernel, { inputs: { x }, outputs: { y }, params: {} });
  return differentiable(y, {
    name: 'resizeBilinear',
    inputs: [x],
    gradient: (gy) => [resizeBilinearGradient(gy, [h, w])],
  });
}

export interface ResizeArgmaxParams {
  /** `[height, width]` of the map between the two resizes. */
  readonly through: readonly [number, number];
}

const resizeArgmaxKernel = defineKernel<{ x: Slot }, { y: Slot }, ResizeArgmaxParams>('resizeArgmax', {
  reference: resizeArgmaxReference,
  wasm: resizeArgmaxWasm,
  webgpu: resizeArgmaxWebGpu,
});

/**
 * The label of every pixel: `argmax(resizeBilinear(resizeBilinear(x, through), size))` over the channels, without
 * storing either resized map. The lowest index wins ties.
 *
 * @param x logits `[N, H, W, C]`, f32.
 * @param size `[height, width]` of the label map.
 * @param through size of the map between the two resizes (the network's input). Default: a single resize.
 * @returns `[N, height, width]`, u8 where C ≤ 256, else i32.
 */
export function resizeArgmax(x: Tensor, size: readonly [number, number], through?: readonly [number, number]): Tensor {
  const [n, h, w, c] = checkImage('resizeArgmax', x, size);
  const y = x.device.empty([n, size[0], size[1]], c <= 256 ? 'u8' : 'i32');
  // Resizing to the same size changes nothing, so that the map itself serves as the step between.
  x.device.enqueue(resizeArgmaxKernel, { inputs: { x }, outputs: { y }, params: { through: through ?? [h, w] } });
  return y;
}

const adaptiveAvgPool2dKernel = defineKernel<{ x: Slot }, { y: Slot }, object>('adaptiveAvgPool2d', {
  reference: adaptiveAvgPool2dReference,
  wasm: adaptiveAvgPool2dWasm,
  webgpu: adaptiveAvgPool2dWebGpu,
});

/**
 * Averages over windows that divide the map evenly: window `i` of `s` over `n` is `floor(i·n/s)` to
 * `ceil((i+1)·n/s)`, as in PyTorch; windows may overlap.
 *
 * @param x `[N, H, W, C]`, f32. @param size of the result, `s` or `[height, width]`.
 */
export function adaptiveAvgPool2d(x: Tensor, size: Pair): Tensor {
  const [height, width] = pair(size);
  const [n, h, w, c] = checkImage('adaptiveAvgPool2d', x, [height, width]);
  const y = x.device.empty([n, height, width, c]);
  x.device.enqueue(adaptiveAvgPool2dKernel, { inputs: { x }, outputs: { y }, params: {} });
  return differentiable(y, {
    name: 'adaptiveAvgPool2d',
    inputs: [x],
    gradient: (gy) => [adaptiveAvgPool2dGradient(gy, [h, w])],
  });
}

function checkImage(
  what: string,
  x: Tensor,
  size: readonly [number, number],
): readonly [number, number, number, number] {
  checkDType(what, x);
  checkRank(what, x, 4, '[N, H, W, C]');
  if (!size.every((d) => Number.isInteger(d) && d > 0) || x.size === 0) {
    throw new ShapeError(
      `${what}: cannot go from ${showShape(x.shape)} to ${size.join('×')}; sizes must be positive integers`,
    );
  }
  return x.shape as readonly [number, number, number, number] & typeof x.shape;
}
