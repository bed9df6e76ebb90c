import { defineKernel, type Slot, type Tensor } from '@ii/tensor';
import { checkArguments, checkTensor } from './arguments.js';
import type { DCNv3CoreOptions, DCNv3Inputs, DCNv3Params } from './dcnv3.js';
import { dcnv3GradientReference } from './reference-gradient.js';
import { dcnv3GradientWasm } from './wasm/gradient.js';
import { dcnv3GradientWebGpu } from './webgpu/gradient.js';

export interface DCNv3GradientOptions extends DCNv3CoreOptions {
  /**
   * Whether equal inputs give equal bits in every run. The CPU devices always do, whatever this says; on a GPU it costs
   * a second pass over what each pixel of x receives. Default: what the device was made with.
   */
  readonly deterministic?: boolean;
}

/** Gradients of a scalar with respect to the inputs of `dcnv3`, each of its input's shape. */
export interface DCNv3Gradients {
  readonly x: Tensor;
  readonly offset: Tensor;
  /** Of the logits where `softmax` is set. */
  readonly mask: Tensor;
  /** Only where there is a centre scale. */
  readonly centerScale?: Tensor;
}

/** Slots of the kernel: the operator's inputs and the gradient of its result, `[N, Ho, Wo, C]`. */
export interface DCNv3GradientInputs extends DCNv3Inputs {
  readonly gy: Slot;
}

/** Slots of the results, of the shapes of the inputs of the same name. */
export type DCNv3GradientOutputs = DCNv3Inputs;

export interface DCNv3GradientParams extends DCNv3Params {
  readonly deterministic: boolean;
}

const gradientKernel = defineKernel<DCNv3GradientInputs, DCNv3GradientOutputs, DCNv3GradientParams>('dcnv3Gradient', {
  reference: dcnv3GradientReference,
  wasm: dcnv3GradientWasm,
  webgpu: dcnv3GradientWebGpu,
});

/**
 * The gradients of {@link dcnv3} for the same inputs and options.
 *
 * Where a sampling point lies on a row or column of pixels, its value has a kink, and the offset's gradient is the
 * right-sided derivative, as of the CUDA operator of InternImage: the official initial offsets, zeros, all lie there.
 * A point at exactly −1 or at the map's size is outside and has no gradient at all.
 *
 * @param x, offset, mask as given to `dcnv3`.
 * @param gy gradient of its result, `[N, Ho, Wo, C]`, f32.
 * @throws ShapeError when a shape or an option does not fit the others; DTypeError when a tensor is not f32.
 */
export function dcnv3Gradients(
  x: Tensor,
  offset: Tensor,
  mask: Tensor,
  gy: Tensor,
  options: DCNv3GradientOptions,
): DCNv3Gradients {
  const { centerScale, deterministic = x.device.deterministic } = options;
  const { params, outputShape } = checkArguments('dcnv3Gradients', x, offset, mask, options);
  checkTensor('dcnv3Gradients gy', gy, outputShape);
  const { device } = x;
  const outputs: DCNv3Gradients = {
    x: device.empty(x.shape),
    offset: device.empty(offset.shape),
    mask: device.empty(mask.shape),
    ...(centerScale && { centerScale: device.empty(centerScale.shape) }),
  };
  const inputs = { x, offset, mask, ...(centerScale && { centerScale }), gy };
  if (gy.size > 0) device.enqueue(gradientKernel, { inputs, outputs, params: { ...params, deterministic } });
  return outputs;
}
