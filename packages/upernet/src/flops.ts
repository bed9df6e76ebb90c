import { convFlops, internImageFlops, resolveInternImageConfig, stageSizes, type Size } from '@ii/backbone';
import { resolveUperNetConfig, type UperNetConfig } from './config.js';

/**
 * FLOPs of one inference as the official model table counts them (multiply-adds of backbone and decode head; batch norm
 * and resizes are not counted), for an input of `[H, W]`. Allocates no weights.
 */
export function upernetFlops(config: UperNetConfig, input: Size): number {
  const { backbone, decodeHead, numClasses } = resolveUperNetConfig(config);
  const { channels, poolScales } = decodeHead;
  const { outIndices } = resolveInternImageConfig(backbone);
  const all = stageSizes(backbone, input);
  const levels = outIndices.map((i) => ({ size: all[i]!, width: backbone.channels * 2 ** i }));
  const top = levels.at(-1)!;
  const finest = levels[0]!.size;

  // mmcv's ConvModule: the convolution has no bias, the ReLU counts one per element.
  const convModule = (size: Size, into: number, kernel: number): number =>
    convFlops(size, into, channels, kernel, false) + size[0] * size[1] * channels;
  let total = internImageFlops(backbone, input);
  for (const scale of poolScales)
    total += top.size[0] * top.size[1] * top.width + convModule([scale, scale], top.width, 1);
  total += convModule(top.size, top.width + poolScales.length * channels, 3);
  for (const { size, width } of levels.slice(0, -1))
    total += convModule(size, width, 1) + convModule(size, channels, 3);
  total += convModule(finest, levels.length * channels, 3);
  return total + convFlops(finest, channels, numClasses, 1, true);
}
