import {
  adaptiveAvgPool2dGradientReference,
  resizeBilinearGradientReference,
} from '../../backends/reference/gradients/spatial.js';
import {
  adaptiveAvgPool2dGradientWasm,
  resizeBilinearGradientWasm,
} from '../../backends/wasm/kernels/gradients/spatial.js';
import {
  adaptiveAvgPool2dGradientWebGpu,
  resizeBilinearGradientWebGpu,
} from '../../backends/webgpu/kernels/gradients/spatial.js';
import { defineKernel, type Slot } from '../../kernel.js';
import type { Tensor } from '../../tensor.js';
import { checkDType, checkRank } from '../check.js';

const resizeBilinearGradientKernel = defineKernel<{ gy: Slot }, { gx: Slot }, object>('resizeBilinearGradient', {
  reference: resizeBilinearGradientReference,
  wasm: resizeBilinearGradientWasm,
  webgpu: resizeBilinearGradientWebGpu,
});

/**
 * The adjoint of `resizeBilinear` from `[N, height, width, C]` to the size of gy: each input pixel gathers from the output
 * pixels that read it, with their weights.
 *
 * @param gy `[N, H, W, C]`. @param size `[height, width]` of the input.
 */
export function resizeBilinearGradient(gy: Tensor, size: readonly [number, number]): Tensor {
  const gx = imageLike('resizeBilinearGradient', gy, size);
  gy.device.enqueue(resizeBilinearGradientKernel, { inputs: { gy }, outputs: { gx }, params: {} });
  return gx;
}

const adaptiveAvgPool2dGradientKernel = defineKernel<{ gy: Slot }, { gx: Slot }, object>('adaptiveAvgPool2dGradient', {
  reference: adaptiveAvgPool2dGradientReference,
  wasm: adaptiveAvgPool2dGradientWasm,
  webgpu: adaptiveAvgPool2dGradientWebGpu,
});

/**
 * The adjoint of `adaptiveAvgPool2d` from `[N, height, width, C]` to the size of gy: each input pixel sums `gy / area` of
 * the windows that contain it.
 *
 * @param gy `[N, H, W, C]`. @param size `[height, width]` of the input.
 */
export function adaptiveAvgPool2dGradient(gy: Tensor, size: readonly [number, number]): Tensor {
  const gx = imageLike('adaptiveAvgPool2dGradient', gy, size);
  gy.device.enqueue(adaptiveAvgPool2dGradientKernel, { inputs: { gy }, outputs: { gx }, params: {} });
  return gx;
}

function imageLike(what: string, gy: Tensor, [height, width]: readonly [number, number]): Tensor {
  checkDType(what, gy);
  checkRank(what, gy, 4, '[N, H, W, C]');
  return gy.device.empty([gy.shape[0]!, height, width, gy.shape[3]!]);
}
