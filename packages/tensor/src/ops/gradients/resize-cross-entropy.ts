import {
  resizeCrossEntropyGradientReference,
  resizeCrossEntropyReference,
} from '../../backends/reference/gradients/cross-entropy.js';
import {
  resizeCrossEntropyGradientWasm,
  resizeCrossEntropyWasm,
} from '../../backends/wasm/kernels/gradients/cross-entropy.js';
import {
  resizeCrossEntropyGradientWebGpu,
  resizeCrossEntropyWebGpu,
} from '../../backends/webgpu/kernels/gradients/resize-cross-entropy.js';
import { ShapeError } from '../../errors.js';
import { defineKernel, type Slot } from '../../kernel.js';
import { showShape } from '../../shape.js';
import type { Tensor } from '../../tensor.js';
import { checkDType, checkRank, checkShapeIs } from '../check.js';
import type {
  CrossEntropyGradientInputs,
  CrossEntropyInputs,
  CrossEntropyOptions,
  CrossEntropyOutputs,
  CrossEntropyParams,
} from './cross-entropy.js';

/** x is `[N, h, w, C]`, the others are as those of `crossEntropy`. */
const resizeCrossEntropyKernel = defineKernel<CrossEntropyInputs, CrossEntropyOutputs, CrossEntropyParams>(
  'resizeCrossEntropy',
  {
    reference: resizeCrossEntropyReference,
    wasm: resizeCrossEntropyWasm,
    webgpu: resizeCrossEntropyWebGpu,
  },
);

/**
 * The same as `crossEntropyForward(resizeBilinear(x, [H, W]), labels)` without storing the resized logits.
 *
 * @param x logits `[N, h, w, C]`, f32. @param labels `[N, H, W]`, u8 or i32.
 * @returns both `[N, H, W]`, f32.
 */
export function resizeCrossEntropyForward(
  x: Tensor,
  labels: Tensor,
  { ignoreIndex }: CrossEntropyOptions,
): { loss: Tensor; correct: Tensor } {
  checkMaps('resizeCrossEntropyForward', x, labels);
  const loss = x.device.empty(labels.shape);
  const correct = x.device.empty(labels.shape);
  const outputs = { loss, correct };
  x.device.enqueue(resizeCrossEntropyKernel, { inputs: { x, labels }, outputs, params: { ignoreIndex } });
  return outputs;
}

const resizeCrossEntropyGradientKernel = defineKernel<CrossEntropyGradientInputs, { gx: Slot }, CrossEntropyParams>(
  'resizeCrossEntropyGradient',
  {
    reference: resizeCrossEntropyGradientReference,
    wasm: resizeCrossEntropyGradientWasm,
    webgpu: resizeCrossEntropyGradientWebGpu,
  },
);

/**
 * The same as `resizeBilinearGradient(crossEntropyGradient(resizeBilinear(x, [H, W]), labels, scale), [h, w])` without storing
 * anything of the size of the resized logits.
 *
 * @param x logits `[N, h, w, C]`, f32. @param labels `[N, H, W]`, u8 or i32. @param scale a scalar, `[]`.
 */
export function resizeCrossEntropyGradient(
  x: Tensor,
  labels: Tensor,
  scale: Tensor,
  { ignoreIndex }: CrossEntropyOptions,
): Tensor {
  checkMaps('resizeCrossEntropyGradient', x, labels);
  checkShapeIs('resizeCrossEntropyGradient scale', scale, []);
  const gx = x.device.empty(x.shape);
  const inputs = { x, labels, scale };
  x.device.enqueue(resizeCrossEntropyGradientKernel, { inputs, outputs: { gx }, params: { ignoreIndex } });
  return gx;
}

function checkMaps(what: string, x: Tensor, labels: Tensor): void {
  checkDType(`${what} x`, x);
  checkDType(`${what} labels`, labels, ['u8', 'i32']);
  checkRank(`${what} x`, x, 4, '[N, h, w, C]');
  checkRank(`${what} labels`, labels, 3, '[N, H, W]');
  const empty = x.size === 0 || labels.size === 0;
  if (x.shape[0] !== labels.shape[0] || (empty && x.shape[0] !== 0)) {
    throw new ShapeError(`${what}: labels ${showShape(labels.shape)} do not fit logits ${showShape(x.shape)}`);
  }
}
