import { differentiable } from '../autograd/tape.js';
import { ShapeError } from '../errors.js';
import { scope } from '../scope.js';
import { sameShape, showShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { binary } from './binary.js';
import { checkDType } from './check.js';
import { cast } from './elementwise.js';
import { crossEntropyForward, crossEntropyGradient } from './gradients/index.js';
import { reshape } from './layout.js';
import { sum } from './reduce.js';

export interface CrossEntropyOptions {
  /** Label that takes no part. Default: 255. */
  readonly ignoreIndex?: number;
  /**
   * What the sum over the pixels is divided by: `all` of them, as mmsegmentation 0.x does, or only the `valid` ones, as
   * PyTorch's `cross_entropy` does. Default: `all`.
   */
  readonly divisor?: 'all' | 'valid';
}

/**
 * Cross entropy of softmaxed logits, averaged over the pixels: `−log softmax(x)[label]`, 0 where the label is ignored.
 * Source: `mmseg/models/losses/cross_entropy_loss.py`.
 *
 * @param x logits `[…, C]`, f32.
 * @param labels `[…]`, u8 or i32, from 0 to C − 1 or `ignoreIndex`; any other label makes the loss NaN.
 * @returns scalars: `loss`; `valid`, the number of pixels that are not ignored; and `correct`, the number of those whose
 *   largest logit is their label's. Only `loss` has a gradient.
 * @throws ShapeError or DTypeError when the labels do not fit the logits.
 */
export function crossEntropy(
  x: Tensor,
  labels: Tensor,
  { ignoreIndex = 255, divisor = 'all' }: CrossEntropyOptions = {},
): { loss: Tensor; correct: Tensor; valid: Tensor } {
  checkDType('crossEntropy x', x);
  checkDType('crossEntropy labels', labels, ['u8', 'i32']);
  const pixels = labels.size;
  if (pixels === 0 || !sameShape(labels.shape, x.shape.slice(0, -1))) {
    throw new ShapeError(
      `crossEntropy: labels ${showShape(labels.shape)} do not fit logits ${showShape(x.shape)}: expected at least one pixel and ${showShape(x.shape.slice(0, -1))}`,
    );
  }
  return scope(() => {
    const each = crossEntropyForward(x, labels, { ignoreIndex });
    const valid = validPixels(labels, ignoreIndex);
    const loss = differentiable(binary('div', sum(each.loss), divisor === 'all' ? pixels : valid), {
      name: 'crossEntropy',
      inputs: [x],
      saved: [x, labels, valid],
      gradient: (gy, [logits, truth, count]) => {
        const scale = reshape(binary('div', gy, divisor === 'all' ? pixels : count!), []);
        return [crossEntropyGradient(logits!, truth!, scale, { ignoreIndex })];
      },
    });
    return { loss, correct: sum(each.correct), valid };
  });
}

/** `[]`: how many labels are not ignored. */
function validPixels(labels: Tensor, ignoreIndex: number): Tensor {
  const ignored = binary('equal', cast(labels, 'f32'), ignoreIndex);
  return sum(binary('sub', ignored.device.tensor([1], []), ignored));
}
