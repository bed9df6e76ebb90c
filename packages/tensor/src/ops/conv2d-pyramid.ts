import { conv2dPyramidReference } from '../backends/reference/conv2d-pyramid.js';
import { conv2dPyramidWasm } from '../backends/wasm/kernels/conv2d-pyramid.js';
import { conv2dPyramidWebGpu } from '../backends/webgpu/kernels/conv2d-pyramid.js';
import { differentiable, noGrad } from '../autograd/tape.js';
import { ShapeError } from '../errors.js';
import { defineKernel, type Slot } from '../kernel.js';
import { scope } from '../scope.js';
import { showShape, sizeOf } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkDType, checkRank } from './check.js';
import { conv2d } from './conv2d.js';
import { conv2dPyramidGradient } from './conv2d-pyramid-gradient.js';
import {
  applyEpilogue,
  biasOnly,
  epilogueInputs,
  tracksEpilogue,
  type Activation,
  type EpilogueOptions,
  type EpilogueSlots,
} from './epilogue.js';
import { concat } from './layout.js';
import { sumTo } from './reduce.js';
import { resizeBilinear } from './spatial.js';

/** Slots: x `[N, H, W, C]`, each level `[N, h, w, c]`, weight `[O, Σ channels, 3, 3]`, y `[N, H, W, O]`. */
export interface Conv2dPyramidInputs extends EpilogueSlots {
  readonly x: Slot;
  readonly level1?: Slot;
  readonly level2?: Slot;
  readonly level3?: Slot;
  readonly level4?: Slot;
  readonly weight: Slot;
}

export interface Conv2dPyramidParams {
  readonly activation: Activation;
}

const conv2dPyramidKernel = defineKernel<Conv2dPyramidInputs, { y: Slot }, Conv2dPyramidParams>('conv2dPyramid', {
  // As the plain form: a multiply-add is two operations.
  flops: ({ weight }, { y }) => 2 * sizeOf(y.shape) * sizeOf(weight.shape.slice(1)),
  reference: conv2dPyramidReference,
  wasm: conv2dPyramidWasm,
  webgpu: conv2dPyramidWebGpu,
});

const slots = ['level1', 'level2', 'level3', 'level4'] as const;

/**
 * A 3×3 convolution with padding 1 over maps of several sizes:
 *
 *     conv2d(concat([maps[0], ...maps.slice(1).map((m) => resizeBilinear(m, size of maps[0]))]), weight, { padding: 1 })
 *
 * with an optional {@link EpilogueOptions | epilogue}, without building the resized maps: upsampling works channel by
 * channel, so that the products with the weights can be formed before it, at the smaller size.
 *
 * @param maps `[N, H, W, C]` and up to 4 more `[N, h, w, c]`, usually smaller; f32.
 * @param weight `[O, Σ channels, 3, 3]`: PyTorch's layout, input channels in the order of the maps.
 * @returns `[N, H, W, O]`.
 * @throws ShapeError when there are no maps or too many, batches differ, a map is empty but for its channels, or the
 *   weight does not fit.
 */
export function conv2dPyramid(maps: readonly Tensor[], weight: Tensor, options: EpilogueOptions = {}): Tensor {
  const [x, ...coarser] = maps;
  if (!x || coarser.length > slots.length) {
    throw new ShapeError(`conv2dPyramid: expected 1 to ${slots.length + 1} maps, got ${maps.length}`);
  }
  for (const map of maps) {
    checkDType('conv2dPyramid map', map);
    checkRank('conv2dPyramid map', map, 4, '[N, H, W, C]');
    if (map.shape[0] !== x.shape[0] || map.shape[1] === 0 || map.shape[2] === 0) {
      throw new ShapeError(
        `conv2dPyramid: map ${showShape(map.shape)} does not fit ${showShape(x.shape)}: needs the same batch and a size`,
      );
    }
  }
  checkDType('conv2dPyramid weight', weight);
  checkRank('conv2dPyramid weight', weight, 4, '[O, Σ channels, 3, 3]');
  const [outputs, inputs, kh, kw] = weight.shape as readonly [number, number, number, number];
  const channels = maps.reduce((sum, map) => sum + map.shape[3]!, 0);
  if (inputs !== channels || kh !== 3 || kw !== 3) {
    throw new ShapeError(
      `conv2dPyramid: weight ${showShape(weight.shape)} does not fit maps of ${maps.map((map) => map.shape[3]).join(' + ')} channels: needs [O, ${channels}, 3, 3]`,
    );
  }
  if (coarser.length === 0) return conv2d(x, weight, { ...options, padding: 1 });
  if (tracksEpilogue(options, ...maps, weight)) {
    return scope(() => applyEpilogue(conv2dPyramid(maps, weight, biasOnly(options)), options));
  }
  const y = x.device.supports(conv2dPyramidKernel)
    ? fusedForm(x, coarser, weight, options)
    : noGrad(() => plainForm(x, coarser, weight, options));
  return differentiable(y, {
    name: 'conv2dPyramid',
    inputs: [weight, options.bias, ...maps],
    saved: [weight, ...maps],
    gradient: (gy, [filters, ...levels], [needsWeight, needsBias, ...needsLevels]) => {
      const gradients = conv2dPyramidGradient(gy, levels, filters!, needsWeight ?? false, needsLevels);
      return [gradients.weight, needsBias ? sumTo(gy, [outputs]) : null, ...gradients.maps];
    },
  });
}

function fusedForm(x: Tensor, coarser: readonly Tensor[], weight: Tensor, options: EpilogueOptions): Tensor {
  const shape = [...x.shape.slice(0, 3), weight.shape[0]!];
  const levels: { [K in (typeof slots)[number]]?: Tensor } = {};
  coarser.forEach((map, i) => (levels[slots[i]!] = map));
  const operands = { x, weight, ...levels, ...epilogueInputs('conv2dPyramid', options, shape) };
  const y = x.device.empty(shape);
  const params = { activation: options.activation ?? 'none' };
  x.device.enqueue(conv2dPyramidKernel, { inputs: operands, outputs: { y }, params });
  return y;
}

/** The definition itself, which stores the resized maps and their concatenation. */
function plainForm(x: Tensor, coarser: readonly Tensor[], weight: Tensor, options: EpilogueOptions): Tensor {
  return scope(() => {
    const filled = coarser.filter((map) => map.size > 0);
    const resized = filled.map((map) => resizeBilinear(map, [x.shape[1]!, x.shape[2]!]));
    return conv2d(concat([x, ...resized]), weight, { ...options, padding: 1 });
  });
}
