import { mul } from '../ops/elementwise.js';
import type { Random } from '../random.js';
import { scope } from '../scope.js';
import type { Shape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { Module } from './module.js';

/** `[…]` of `shape`: 0 with the probability `rate`, else `1 / (1 − rate)`, so that the mean stays. */
function mask(like: Tensor, shape: Shape, rate: number, random: Random): Tensor {
  const values = new Float32Array(shape.reduce((n, d) => n * d, 1));
  const kept = rate < 1 ? 1 / (1 - rate) : 0;
  for (let i = 0; i < values.length; i++) values[i] = random.uniform() < rate ? 0 : kept;
  return like.device.tensor(values, shape);
}

/** In training drops whole channels of images, each with the probability `rate`; else does nothing. */
export class Dropout2d extends Module {
  constructor(readonly rate: number) {
    super();
  }

  /** `[N, H, W, C]` → the same. */
  forward(x: Tensor): Tensor {
    const { training, rate } = this;
    if (!training || rate === 0) return x;
    return scope(() => mul(x, mask(x, [x.shape[0]!, 1, 1, x.shape[3]!], rate, training.random)));
  }
}

/**
 * Stochastic depth (Huang et al., ECCV 2016): in training a branch is left out for some images of a batch, each with the
 * probability `rate`.
 */
export class DropPath extends Module {
  constructor(readonly rate: number) {
    super();
  }

  /** The factor of the branch for each image, `[N, 1, 1, 1]`; null where it is 1 for all. */
  draw(x: Tensor): Tensor | null {
    const { training, rate } = this;
    return training && rate > 0 ? mask(x, [x.shape[0]!, 1, 1, 1], rate, training.random) : null;
  }
}
