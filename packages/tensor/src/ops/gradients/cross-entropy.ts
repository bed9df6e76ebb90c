import {
  crossEntropyGradientReference,
  crossEntropyReference,
} from '../../backends/reference/gradients/cross-entropy.js';
import { crossEntropyGradientWasm, crossEntropyWasm } from '../../backends/wasm/kernels/gradients/cross-entropy.js';
import {
  crossEntropyGradientWebGpu,
  crossEntropyWebGpu,
} from '../../backends/webgpu/kernels/gradients/cross-entropy.js';
import { defineKernel, type Slot } from '../../kernel.js';
import type { Tensor } from '../../tensor.js';
import { checkDType, checkShapeIs } from '../check.js';

/** Slots: x `[P…, C]` f32, labels `[P…]` u8 or i32. */
export interface CrossEntropyInputs {
  readonly x: Slot;
  readonly labels: Slot;
}

export interface CrossEntropyParams {
  readonly ignoreIndex: number;
}

/** Slots: both `[P…]` f32. */
export interface CrossEntropyOutputs {
  readonly loss: Slot;
  readonly correct: Slot;
}

const crossEntropyKernel = defineKernel<CrossEntropyInputs, CrossEntropyOutputs, CrossEntropyParams>('crossEntropy', {
  reference: crossEntropyReference,
  wasm: crossEntropyWasm,
  webgpu: crossEntropyWebGpu,
});

export interface CrossEntropyOptions {
  /** Label of pixels that do not count. */
  readonly ignoreIndex: number;
}

/**
 * Cross entropy of each pixel: `loss = log Σ e^x − x[label]`, 0 where the label is ignored, NaN where it is not a channel;
 * `correct` is 1 where the largest channel (the lowest index wins ties) is the label, else 0.
 *
 * @param x logits `[P…, C]`, f32. @param labels `[P…]`, u8 or i32.
 * @returns both `[P…]`, f32.
 */
export function crossEntropyForward(
  x: Tensor,
  labels: Tensor,
  { ignoreIndex }: CrossEntropyOptions,
): { loss: Tensor; correct: Tensor } {
  checkLogits('crossEntropyForward', x, labels);
  const loss = x.device.empty(labels.shape);
  const correct = x.device.empty(labels.shape);
  x.device.enqueue(crossEntropyKernel, { inputs: { x, labels }, outputs: { loss, correct }, params: { ignoreIndex } });
  return { loss, correct };
}

/** Slots: scale `[]` f32, gx like x. */
export interface CrossEntropyGradientInputs extends CrossEntropyInputs {
  readonly scale: Slot;
}

const crossEntropyGradientKernel = defineKernel<CrossEntropyGradientInputs, { gx: Slot }, CrossEntropyParams>(
  'crossEntropyGradient',
  { reference: crossEntropyGradientReference, wasm: crossEntropyGradientWasm, webgpu: crossEntropyGradientWebGpu },
);

/**
 * Gradient of `scale · Σ loss` for the logits: `scale · (softmax(x) − onehot(label))`, 0 where the label is ignored, NaN
 * where it is not a channel.
 *
 * @param x logits `[P…, C]`, f32. @param labels `[P…]`, u8 or i32. @param scale a scalar, `[]`.
 */
export function crossEntropyGradient(
  x: Tensor,
  labels: Tensor,
  scale: Tensor,
  { ignoreIndex }: CrossEntropyOptions,
): Tensor {
  checkLogits('crossEntropyGradient', x, labels);
  checkShapeIs('crossEntropyGradient scale', scale, []);
  const gx = x.device.empty(x.shape);
  x.device.enqueue(crossEntropyGradientKernel, {
    inputs: { x, labels, scale },
    outputs: { gx },
    params: { ignoreIndex },
  });
  return gx;
}

function checkLogits(what: string, x: Tensor, labels: Tensor): void {
  checkDType(`${what} x`, x);
  checkDType(`${what} labels`, labels, ['u8', 'i32']);
  checkShapeIs(`${what} labels`, labels, x.shape.slice(0, -1));
}
