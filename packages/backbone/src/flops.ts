/**
 * FLOPs as the official model table counts them: one multiply-add is one FLOP; convolutions with their bias additions,
 * linear layers without, LayerNorm 2 per element, the DCNv3 core 5 · 9 · C per position of a stage. GELU, softmax,
 * residual additions, layer scale and the centre-scale projection are not counted.
 */
import { convOutputSize } from '@ii/tensor';
import { resolveInternImageConfig, type InternImageConfig } from './config.js';

/** `[height, width]`. */
export type Size = readonly [number, number];

/** FLOPs of a convolution with `out` filters over `size` output pixels. */
export function convFlops(size: Size, into: number, out: number, kernel: number, bias: boolean): number {
  return size[0] * size[1] * out * (kernel * kernel * into + (bias ? 1 : 0));
}

/** Sizes of the maps of every stage for an input of `input`. */
export function stageSizes(config: InternImageConfig, input: Size): Size[] {
  const half = ([h, w]: Size): Size => [convOutputSize(h, 3, 2, 1, 1), convOutputSize(w, 3, 2, 1, 1)];
  const sizes: Size[] = [half(half(input))];
  while (sizes.length < config.depths.length) sizes.push(half(sizes.at(-1)!));
  return sizes;
}

/** FLOPs of the backbone for one image of `input` = `[H, W]`. */
export function internImageFlops(config: InternImageConfig, input: Size): number {
  const { channels, depths, groups, mlpRatio, dwKernelSize, ...options } = resolveInternImageConfig(config);
  const sizes = stageSizes(config, input);
  const area = ([h, w]: Size): number => h * w;
  const norm = (pixels: number, width: number): number => 2 * pixels * width;
  const halfSize: Size = [convOutputSize(input[0], 3, 2, 1, 1), convOutputSize(input[1], 3, 2, 1, 1)];

  let total = convFlops(halfSize, 3, channels / 2, 3, true) + norm(area(halfSize), channels / 2);
  total += convFlops(sizes[0]!, channels / 2, channels, 3, true) + norm(area(sizes[0]!), channels);
  depths.forEach((depth, i) => {
    const size = sizes[i]!;
    const pixels = area(size);
    const c = channels * 2 ** i;
    const hidden = Math.trunc(c * mlpRatio);
    const projections = pixels * c * (2 * c + 27 * groups[i]!);
    const core = 5 * 9 * c * corePositions(input, i);
    const depthwise = convFlops(size, 1, c, dwKernelSize ?? 3, true);
    const mlp = 2 * pixels * c * hidden;
    const norms = (options.resPostNorm ? 5 : 3) * norm(pixels, c);
    total += depth * (projections + core + depthwise + mlp + norms);
    if (!options.postNorm || options.centerFeatureScale) total += norm(pixels, c);
    if (i === 2) total += (options.level2PostNormBlockIds?.length ?? 0) * norm(pixels, c);
    if (i < depths.length - 1) {
      const next = sizes[i + 1]!;
      total += convFlops(next, c, 2 * c, 3, false) + norm(area(next), 2 * c);
    }
  });
  return total;
}

/** The official counter divides the input's sides by the stride, without rounding up as the maps do. */
function corePositions([h, w]: Size, stage: number): number {
  const stride = 4 * 2 ** stage;
  return (h / stride) * (w / stride);
}
