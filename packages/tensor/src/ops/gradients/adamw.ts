import { adamWReference } from '../../backends/reference/gradients/adamw.js';
import { adamWWasm } from '../../backends/wasm/kernels/gradients/elementwise.js';
import { adamWWebGpu } from '../../backends/webgpu/kernels/gradients/elementwise.js';
import { defineKernel, type Slot } from '../../kernel.js';
import type { Tensor } from '../../tensor.js';
import { checkDType, checkShapeIs } from '../check.js';

/** Slots: all of the parameter's shape but scale, `[]`; those that are outputs, too, are worked on in place. */
export interface AdamWInputs extends AdamWOutputs {
  readonly gradient: Slot;
  readonly scale?: Slot;
}

export interface AdamWOutputs {
  readonly parameter: Slot;
  readonly mean: Slot;
  readonly variance: Slot;
}

/** The step's constants, so that all devices start from the same numbers. */
export interface AdamWParams {
  /** What weight decay leaves of the parameter: `1 − lr · weightDecay`. */
  readonly decay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  /** `lr / (1 − beta1^step)`. */
  readonly rate: number;
  /** `sqrt(1 − beta2^step)`. */
  readonly correction: number;
}

const adamWKernel = defineKernel<AdamWInputs, AdamWOutputs, AdamWParams>('adamW', {
  reference: adamWReference,
  wasm: adamWWasm,
  webgpu: adamWWebGpu,
});

export interface AdamWTensors {
  readonly parameter: Tensor;
  /** Like the parameter. */
  readonly gradient: Tensor;
  /** Running mean of the gradient, like the parameter; zeros before the first step. */
  readonly mean: Tensor;
  /** Running mean of the gradient's square, like the parameter; zeros before the first step. */
  readonly variance: Tensor;
  /** A scalar, `[]`, that the gradient is multiplied by first. Default: 1. */
  readonly scale?: Tensor | undefined;
}

export interface AdamWOptions {
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** Number of the step, from 1. */
  readonly step: number;
}

/**
 * One step of AdamW as PyTorch does it, in place: parameter, mean and variance change. Prepared forms of the parameter are
 * dropped, and one that was held on the host moves to the device.
 *
 *     p = p · (1 − lr · weightDecay)        m = beta1 · m + (1 − beta1) · g        v = beta2 · v + (1 − beta2) · g²
 *     p = p − lr / (1 − beta1^step) · m / (sqrt(v) / sqrt(1 − beta2^step) + eps)
 */
export function adamWStep(
  { parameter, gradient, mean, variance, scale }: AdamWTensors,
  { lr, beta1, beta2, eps, weightDecay, step }: AdamWOptions,
): void {
  for (const [key, tensor] of Object.entries({ parameter, gradient, mean, variance })) {
    checkDType(`adamWStep ${key}`, tensor);
    checkShapeIs(`adamWStep ${key}`, tensor, parameter.shape);
  }
  checkShapeIs('adamWStep scale', scale, []);
  parameter.device.enqueue(adamWKernel, {
    inputs: { parameter, gradient, mean, variance, ...(scale && { scale }) },
    outputs: { parameter, mean, variance },
    params: {
      decay: 1 - lr * weightDecay,
      beta1,
      beta2,
      eps,
      rate: lr / (1 - beta1 ** step),
      correction: Math.sqrt(1 - beta2 ** step),
    },
  });
}
