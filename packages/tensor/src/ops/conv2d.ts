import { differentiable } from '../autograd/tape.js';
import { scope } from '../scope.js';
import type { Tensor } from '../tensor.js';
import { conv2dInputGradient, conv2dWeightGradient } from './conv2d-gradient.js';
import { convGeometry, runConv2d, type Conv2dOptions } from './conv2d-forward.js';
import { applyEpilogue, biasOnly, tracksEpilogue } from './epilogue.js';
import { sumTo } from './reduce.js';

export { convOutputSize, type Conv2dInputs, type Conv2dOptions, type Conv2dParams } from './conv2d-forward.js';

/**
 * 2-D convolution (cross-correlation, as in PyTorch's `conv2d`) with an optional {@link EpilogueOptions | epilogue}.
 *
 * @param x `[N, H, W, C]`, f32.
 * @param weight `[O, C / groups, kH, kW]`: PyTorch's layout.
 * @returns `[N, Ho, Wo, O]`.
 * @throws ShapeError when channels, groups or sizes do not fit, or the kernel is larger than the padded input.
 */
export function conv2d(x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  const geometry = convGeometry(options);
  if (tracksEpilogue(options, x, weight)) {
    return scope(() => applyEpilogue(conv2d(x, weight, { ...geometry, ...biasOnly(options) }), options));
  }
  const y = runConv2d(x, weight, options);
  return differentiable(y, {
    name: 'conv2d',
    inputs: [x, weight, options.bias],
    saved: [x, weight],
    gradient: (gy, saved, needed) => {
      const [input, filters] = saved as readonly [Tensor, Tensor];
      return [
        needed[0] ? conv2dInputGradient(gy, filters, input.shape, geometry) : null,
        needed[1] ? conv2dWeightGradient(input, gy, filters.shape, geometry) : null,
        needed[2] ? sumTo(gy, [filters.shape[0]!]) : null,
      ];
    },
  });
}
