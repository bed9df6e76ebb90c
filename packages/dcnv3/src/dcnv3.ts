import { defineKernel, differentiable, type Pair, type Slot, type Tensor } from '@ii/tensor';
import { checkArguments } from './arguments.js';
import { dcnv3Gradients } from './dcnv3-gradient.js';
import type { Geometry } from './geometry.js';
import { dcnv3Reference } from './reference.js';
import { dcnv3Wasm } from './wasm/kernel.js';
import { dcnv3WebGpu } from './webgpu/kernel.js';

export interface DCNv3CoreOptions {
  /** Default: 3. Pairs are `[vertical, horizontal]`. */
  readonly kernelSize?: Pair;
  /** Default: 1. */
  readonly stride?: Pair;
  /** Zeros around the map. Default: 1. */
  readonly padding?: Pair;
  /** Default: 1. */
  readonly dilation?: Pair;
  /** Groups of channels that share their sampling points; divides C. */
  readonly groups: number;
  /** Multiplies the offsets and the kernel's grid alike. Default: 1. */
  readonly offsetScale?: number;
  /** Whether `mask` holds logits, of which each group's softmax over its points is taken first. Default: false. */
  readonly softmax?: boolean;
  /** Share of the input pixel in each group's result, `[N, H, W, G]` between 0 and 1. Default: none. */
  readonly centerScale?: Tensor | undefined;
}

/** Slots of the kernel, f32: x and y `[N, H, W, C]`, offset, mask and centerScale as in {@link dcnv3}. */
export interface DCNv3Inputs {
  readonly x: Slot;
  readonly offset: Slot;
  readonly mask: Slot;
  readonly centerScale?: Slot;
}

export interface DCNv3Params extends Geometry {
  readonly groups: number;
  readonly offsetScale: number;
  readonly softmax: boolean;
}

const dcnv3Kernel = defineKernel<DCNv3Inputs, { y: Slot }, DCNv3Params>('dcnv3', {
  reference: dcnv3Reference,
  wasm: dcnv3Wasm,
  webgpu: dcnv3WebGpu,
});

/**
 * Deformable convolution v3, the core operator of InternImage (Wang et al., CVPR 2023, equation 2; ops_dcnv3): each
 * output pixel is, per group of C / G channels, the sum over the kernel's points of `mask · x(location)`, sampled
 * bilinearly with zeros outside. It has no weights of its own: offsets and mask are inputs.
 *
 * Points run down the kernel's columns (point `i · K + j` is column `i`, row `j`), and each is displaced by a pair
 * (x, y) in pixels; see `geometry.ts` for the location.
 *
 * With `centerScale` s, the result is `y · (1 − s) + x · s` at the same pixel, which needs an output as large as the input.
 *
 * @param x `[N, H, W, C]`, f32.
 * @param offset `[N, Ho, Wo, G · K · K · 2]`, f32, group by group, point by point, x before y.
 * @param mask `[N, Ho, Wo, G · K · K]`, f32, group by group.
 * @returns `[N, Ho, Wo, C]`.
 * @throws ShapeError when a shape or an option does not fit the others; DTypeError when a tensor is not f32.
 */
export function dcnv3(x: Tensor, offset: Tensor, mask: Tensor, options: DCNv3CoreOptions): Tensor {
  const { centerScale } = options;
  const { params, outputShape } = checkArguments('dcnv3', x, offset, mask, options);
  const y = x.device.empty(outputShape);
  const inputs = { x, offset, mask, ...(centerScale && { centerScale }) };
  if (y.size > 0) x.device.enqueue(dcnv3Kernel, { inputs, outputs: { y }, params });
  return differentiable(y, {
    name: 'dcnv3',
    inputs: [x, offset, mask, centerScale],
    saved: [x, offset, mask, ...(centerScale ? [centerScale] : [])],
    gradient: (gy, saved) => {
      const [value, displacement, weights, share] = saved as readonly [Tensor, Tensor, Tensor, Tensor?];
      const given = { ...options, centerScale: share };
      const gradients = dcnv3Gradients(value, displacement, weights, gy, given);
      return [gradients.x, gradients.offset, gradients.mask, gradients.centerScale];
    },
  });
}
