import { IIError } from '../errors.js';
import type { Parameter } from '../nn/parameter.js';
import { add, concat, div, minimum, reshape, sqrt, sum, sumSquares } from '../ops/index.js';
import { scope } from '../scope.js';
import type { Tensor } from '../tensor.js';

/**
 * The L2 norm of all gradients together, a scalar on the device; parameters without a gradient do not count.
 *
 * @throws IIError when no parameter has a gradient.
 */
export function gradientNorm(parameters: Iterable<Parameter>): Tensor {
  return scope(() => {
    const squares = [...parameters].flatMap(({ gradient }) => (gradient ? [reshape(sumSquares(gradient), [1])] : []));
    if (squares.length === 0) {
      throw new IIError('ERR_NO_GRADIENT', 'gradientNorm: no parameter has a gradient; call backward() first');
    }
    return sqrt(sum(concat(squares)));
  });
}

/**
 * PyTorch's factor of `clip_grad_norm_`: `min(1, maxNorm / (norm + 1e-6))`, a scalar on the device. Nothing waits: the
 * optimiser multiplies the gradients by it.
 *
 * @param norm a scalar, as {@link gradientNorm} gives it.
 */
export function clipFactor(norm: Tensor, maxNorm: number): Tensor {
  if (!(maxNorm > 0)) throw new IIError('ERR_OPTION', `clipFactor: the norm must be above 0, got ${maxNorm}`);
  return scope(() => minimum(div(norm.device.tensor([maxNorm], []), add(norm, 1e-6)), 1));
}
