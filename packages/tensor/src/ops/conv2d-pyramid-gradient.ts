import { scope } from '../scope.js';
import { stridesOf } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { conv2dInputGradient, conv2dWeightGradient } from './conv2d-gradient.js';
import { copyBlock } from './copy.js';
import { pyramidTapGradient } from './gradients/index.js';
import { permute, reshape, slice } from './layout.js';
import { matmul } from './linear.js';

/** Of the finest map: an ordinary convolution. */
const geometry = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 } as const;

/**
 * Gradients of `conv2dPyramid`. The forward pass forms nine products per pixel of a coarse map and adds them up after
 * upsampling, each shifted by its tap; so the gradient of each product is the downsampling (adjoint of the upsampling) of
 * `gy` shifted back, and all matrix products stay at the coarse size.
 *
 * @param gy `[N, H, W, O]`. @param maps finest first. @param weight `[O, Σ channels, 3, 3]`.
 * @returns gradients of the weight and of each map, null where not needed.
 */
export function conv2dPyramidGradient(
  gy: Tensor,
  maps: readonly Tensor[],
  weight: Tensor,
  needsWeight: boolean,
  needsMaps: readonly boolean[],
): { weight: Tensor | null; maps: (Tensor | null)[] } {
  const gradWeight = needsWeight ? gy.device.empty(weight.shape) : null;
  const [outputs] = weight.shape as [number];
  let channel = 0;
  const gradients = maps.map((map, level) => {
    const channels = map.shape[3]!;
    const first = channel;
    channel += channels;
    return scope(() => {
      const filters = slice(weight, [0, first], [undefined, first + channels]);
      // `[O, channels, 3, 3]` into its place among all input channels.
      const place = (part: Tensor): void => {
        if (!gradWeight) return;
        const strides = stridesOf(weight.shape);
        const from = { fromStrides: stridesOf(part.shape), fromOffset: 0 };
        copyBlock(part, gradWeight, { shape: part.shape, ...from, toStrides: strides, toOffset: first * 9 });
      };
      if (level === 0) {
        if (needsWeight) place(conv2dWeightGradient(map, gy, filters.shape, geometry));
        return needsMaps[0] ? conv2dInputGradient(gy, filters, map.shape, geometry) : null;
      }
      const pixels = map.size / channels;
      const products = reshape(pyramidTapGradient(gy, [map.shape[1]!, map.shape[2]!]), [pixels, 9 * outputs]);
      if (needsWeight) {
        const product = matmul(products, reshape(map, [pixels, channels]), { transposeA: true });
        place(permute(reshape(product, [3, 3, outputs, channels]), [2, 3, 0, 1]));
      }
      if (!needsMaps[level]) return null;
      const byTap = reshape(permute(filters, [2, 3, 0, 1]), [9 * outputs, channels]);
      return reshape(matmul(products, byTap), map.shape);
    });
  });
  return { weight: gradWeight, maps: gradients };
}
