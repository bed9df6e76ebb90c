import { pyramidTapGradientReference } from '../../backends/reference/gradients/conv2d-pyramid.js';
import { pyramidTapGradientWasm } from '../../backends/wasm/kernels/gradients/conv2d-pyramid.js';
import { pyramidTapGradientWebGpu } from '../../backends/webgpu/kernels/gradients/conv2d-pyramid.js';
import { defineKernel, type Slot } from '../../kernel.js';
import type { Tensor } from '../../tensor.js';

/** Slots: gy `[N, H, W, O]`, gp `[N, h, w, 9, O]`. */
export interface PyramidTapInputs {
  readonly gy: Slot;
}

const kernel = defineKernel<PyramidTapInputs, { gp: Slot }, object>('pyramidTapGradient', {
  reference: pyramidTapGradientReference,
  wasm: pyramidTapGradientWasm,
  webgpu: pyramidTapGradientWebGpu,
});

/**
 * The gradients of the nine products of each pixel of a coarse map of `conv2dPyramid`: for tap `3 · row + column` the adjoint
 * of `resizeBilinear` of `gy` moved by `(row − 1, column − 1)`, with zeros where it comes from outside. One axis after the
 * other, so that `gy` is not moved and resized nine times.
 *
 * @param gy `[N, H, W, O]`. @param size `[h, w]` of the coarse map.
 * @returns `[N, h, w, 9, O]`.
 */
export function pyramidTapGradient(gy: Tensor, [height, width]: readonly [number, number]): Tensor {
  const [n, , , outputs] = gy.shape as readonly [number, number, number, number];
  const gp = gy.device.empty([n, height, width, 9, outputs]);
  gy.device.enqueue(kernel, { inputs: { gy }, outputs: { gp }, params: {} });
  return gp;
}
