import { unaryGradientReference } from '../../backends/reference/gradients/elementwise.js';
import { unaryGradientWasm } from '../../backends/wasm/kernels/gradients/elementwise.js';
import { unaryGradientWebGpu } from '../../backends/webgpu/kernels/gradients/elementwise.js';
import { defineKernel, type Slot } from '../../kernel.js';
import type { Tensor } from '../../tensor.js';
import { checkDType, checkShapeIs } from '../check.js';
import type { UnaryFunction } from '../elementwise.js';

/** Slots: all of one shape, f32. */
export interface UnaryGradientInputs {
  readonly x: Slot;
  readonly gy: Slot;
}

export interface UnaryGradientParams {
  readonly fn: UnaryFunction;
}

const unaryGradientKernel = defineKernel<UnaryGradientInputs, { gx: Slot }, UnaryGradientParams>('unaryGradient', {
  reference: unaryGradientReference,
  wasm: unaryGradientWasm,
  webgpu: unaryGradientWebGpu,
});

/**
 * `gy · f′(x)` for a function of one argument. As in PyTorch, the derivatives of `relu` and `abs` at 0 are 0.
 *
 * @param x the function's argument. @param gy gradient of its result, like x.
 */
export function unaryGradient(fn: UnaryFunction, x: Tensor, gy: Tensor): Tensor {
  checkDType('unaryGradient x', x);
  checkDType('unaryGradient gy', gy);
  checkShapeIs('unaryGradient gy', gy, x.shape);
  const gx = x.device.empty(x.shape);
  x.device.enqueue(unaryGradientKernel, { inputs: { x, gy }, outputs: { gx }, params: { fn } });
  return gx;
}
