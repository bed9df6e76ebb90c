import type { Slot } from '../../../../kernel.js';
import type { DepthwiseWeightInputs, DepthwiseWeightParams } from '../../../../ops/gradients/conv2d.js';
import { sizeOf } from '../../../../shape.js';
import { library } from '../../library.generated.js';
import { scratch, splitWork, type WasmKernel } from '../../program.js';
import { padded } from './blocks.js';

type Image = readonly [number, number, number, number];

/** Multiplications of a block, about: enough to be worth its partial result. */
const blockProducts = 2 ** 20;

export const depthwiseConv2dWeightGradientWasm: WasmKernel<DepthwiseWeightInputs, { gw: Slot }, DepthwiseWeightParams> =
  {
    library,
    program: ({ x, gy }, { gw }, { stride, padding, dilation }, machine) => {
      if (sizeOf(gw.shape) === 0) return [];
      const [, height, width, channels] = x.shape as Image;
      const [images, outHeight, outWidth] = gy.shape as Image;
      const [, , kernelY, kernelX] = gw.shape as Image;
      const taps = kernelY * kernelX;
      const rows = sizeOf(gy.shape) === 0 ? 0 : images * outHeight;
      // Blocks depend on the shape alone, so that results do not depend on the number of threads.
      const perBlock = Math.max(1, Math.round(blockProducts / (outWidth * channels * taps)));
      const blocks = Math.ceil(rows / perBlock);
      const partial = blocks === 0 ? 0 : scratch(blocks * taps * padded(channels) * 4);
      const { size, chunks } = splitWork(taps, machine);
      const join = { fn: 'joinDepthwiseBlocks', args: [partial, gw, blocks, channels, taps, size], chunks };
      if (blocks === 0) return [join];
      const shape = [height, width, channels, outHeight, outWidth, kernelY, kernelX];
      const args = [x, gy, partial, ...shape, ...stride, ...padding, ...dilation, rows, perBlock];
      return [{ fn: 'depthwiseWeightBlocks', args, chunks: blocks }, join];
    },
  };
