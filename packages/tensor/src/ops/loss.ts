import { differentiable } from '../autograd/tape.js';
import { ShapeError } from '../errors.js';
import { scope } from '../scope.js';
import { sameShape, showShape, type Shape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { binary } from './binary.js';
import { checkDType, checkRank } from './check.js';
import { cast } from './elementwise.js';
import {
  crossEntropyForward,
  crossEntropyGradient,
  resizeCrossEntropyForward,
  resizeCrossEntropyGradient,
} from './gradients/index.js';
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

/** Scalars. Only `loss` has a gradient. */
export interface CrossEntropy {
  readonly loss: Tensor;
  /** Number of pixels that are not ignored. */
  readonly valid: Tensor;
  /** Number of those whose largest logit is their label's. */
  readonly correct: Tensor;
}

/**
 * Cross entropy of softmaxed logits, averaged over the pixels: `−log softmax(x)[label]`, 0 where the label is ignored.
 * Source: `mmseg/models/losses/cross_entropy_loss.py`.
 *
 * @param x logits `[…, C]`, f32.
 * @param labels `[…]`, u8 or i32, from 0 to C − 1 or `ignoreIndex`; any other label makes the loss NaN.
 * @throws ShapeError or DTypeError when the labels do not fit the logits.
 */
export function crossEntropy(x: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): CrossEntropy {
  check('crossEntropy', x, labels, x.shape.slice(0, -1));
  return averaged('crossEntropy', x, labels, options, crossEntropyForward, crossEntropyGradient);
}

/**
 * `crossEntropy(resizeBilinear(x, [H, W]), labels)`, without storing logits of the labels' size: what a segmentation head is
 * trained by.
 *
 * @param x logits `[N, h, w, C]`, f32.
 * @param labels `[N, H, W]`, u8 or i32, from 0 to C − 1 or `ignoreIndex`; any other label makes the loss NaN.
 * @throws ShapeError or DTypeError when the labels do not fit the logits.
 */
export function resizeCrossEntropy(x: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): CrossEntropy {
  checkRank('resizeCrossEntropy x', x, 4, '[N, h, w, C]');
  checkRank('resizeCrossEntropy labels', labels, 3, '[N, H, W]');
  check('resizeCrossEntropy', x, labels, [x.shape[0]!, ...labels.shape.slice(1)]);
  return averaged('resizeCrossEntropy', x, labels, options, resizeCrossEntropyForward, resizeCrossEntropyGradient);
}

function check(what: string, x: Tensor, labels: Tensor, expected: Shape): void {
  checkDType(`${what} x`, x);
  checkDType(`${what} labels`, labels, ['u8', 'i32']);
  if (labels.size === 0 || x.size === 0 || !sameShape(labels.shape, expected)) {
    throw new ShapeError(
      `${what}: labels ${showShape(labels.shape)} do not fit logits ${showShape(x.shape)}: expected at least one pixel and ${showShape(expected)}`,
    );
  }
}

function averaged(
  name: string,
  x: Tensor,
  labels: Tensor,
  { ignoreIndex = 255, divisor = 'all' }: CrossEntropyOptions,
  forward: typeof crossEntropyForward,
  backward: typeof crossEntropyGradient,
): CrossEntropy {
  const pixels = labels.size;
  return scope(() => {
    const each = forward(x, labels, { ignoreIndex });
    const valid = validPixels(labels, ignoreIndex);
    const loss = differentiable(binary('div', sum(each.loss), divisor === 'all' ? pixels : valid), {
      name,
      inputs: [x],
      saved: [x, labels, valid],
      gradient: (gy, [logits, truth, count]) => {
        const scale = reshape(binary('div', gy, divisor === 'all' ? pixels : count!), []);
        return [backward(logits!, truth!, scale, { ignoreIndex })];
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
