import type { Slot } from '../../../../kernel.js';
import type {
  BatchNormGradientInputs,
  BatchNormGradientParams,
  BatchNormReduceInputs,
  LayerNormGradientInputs,
  NormParams,
  ParameterSlots,
  RowsInputs,
} from '../../../../ops/gradients/norm.js';
import { sizeOf } from '../../../../shape.js';
import { library } from '../../library.generated.js';
import {
  f32,
  scratch,
  splitWork,
  type WasmKernel,
  type WasmMachine,
  type WasmOperand,
  type WasmScratch,
  type WasmStep,
} from '../../program.js';
import { channelRows } from '../elementwise.js';
import { blocksOf, padded } from './blocks.js';

/** Channels below which a chunk of a join is not worth its dispatch. */
const leastJoined = 32;

export const layerNormGradientWasm: WasmKernel<LayerNormGradientInputs, { gx: Slot }, NormParams> = {
  library,
  program: ({ x, gy, weight }, { gx }, { eps }, machine) => {
    const step = channelRows('layerNormGradient', x.shape.at(-1)!, sizeOf(x.shape), machine);
    return step ? [{ ...step, args: [x, gy, weight ?? 0, gx, ...step.args, f32(eps)] }] : [];
  },
};

export const layerNormParameterGradientWasm: WasmKernel<RowsInputs, ParameterSlots, NormParams> = {
  library,
  program: ({ x, gy }, outputs, { eps }, machine) =>
    parameterSums(x, outputs, machine, (partial, rows, perBlock, channels) => ({
      fn: 'layerNormParameterBlocks',
      args: [x, gy, partial, rows, perBlock, channels, f32(eps)],
    })),
};

export const batchNormReduceWasm: WasmKernel<BatchNormReduceInputs, ParameterSlots, NormParams> = {
  library,
  program: ({ x, gy, mean, variance }, outputs, { eps }, machine) =>
    parameterSums(x, outputs, machine, (partial, rows, perBlock, channels) => ({
      fn: 'batchNormBlocks',
      args: [x, gy, mean, variance, partial, rows, perBlock, channels, f32(eps)],
    })),
};

/** Two sums per channel: a step over blocks of rows, and one that joins them. */
function parameterSums(
  x: WasmOperand,
  { weight, bias }: { readonly weight: WasmOperand; readonly bias: WasmOperand },
  machine: WasmMachine,
  step: (partial: WasmScratch | 0, rows: number, perBlock: number, channels: number) => Omit<WasmStep, 'chunks'>,
): readonly WasmStep[] {
  const channels = x.shape.at(-1)!;
  if (channels === 0) return [];
  const rows = sizeOf(x.shape) / channels;
  const { perBlock, blocks } = blocksOf(rows, channels);
  const partial = blocks === 0 ? 0 : scratch(blocks * 2 * padded(channels) * 4);
  const fours = padded(channels) / 4;
  const { size, chunks } = splitWork(fours, machine, { least: leastJoined });
  const join = { fn: 'joinParameterBlocks', args: [partial, weight, bias, blocks, channels, fours, size], chunks };
  return blocks === 0 ? [join] : [{ ...step(partial, rows, perBlock, channels), chunks: blocks }, join];
}

export const channelMomentsWasm: WasmKernel<{ x: Slot }, { mean: Slot; variance: Slot }, object> = {
  library,
  program: ({ x }, { mean, variance }, _params, machine) => {
    const channels = x.shape.at(-1)!;
    if (channels === 0) return [];
    const rows = sizeOf(x.shape) / channels;
    const { perBlock, blocks } = blocksOf(rows, channels);
    const partial = blocks === 0 ? 0 : scratch(blocks * 3 * padded(channels) * 4);
    const { size, chunks } = splitWork(channels, machine, { least: leastJoined });
    const join = { fn: 'joinMomentBlocks', args: [partial, mean, variance, rows, perBlock, channels, size], chunks };
    if (blocks === 0) return [join];
    return [{ fn: 'channelMomentBlocks', args: [x, partial, rows, perBlock, channels], chunks: blocks }, join];
  },
};

export const batchNormGradientWasm: WasmKernel<BatchNormGradientInputs, { gx: Slot }, BatchNormGradientParams> = {
  library,
  program: ({ x, gy, mean, variance, weight, gradWeight, gradBias }, { gx }, { eps, count }, machine) => {
    const channels = x.shape.at(-1)!;
    const step = channelRows('batchNormGradient', channels, sizeOf(x.shape), machine);
    if (!step) return [];
    const folded = scratch(4 * padded(channels) * 4);
    const sums = [gradWeight, gradBias] as const;
    const fold = [mean, variance, weight ?? 0, ...sums, folded, channels, f32(count), f32(eps)];
    return [
      { fn: 'foldBatchNormGradient', args: fold, chunks: 1 },
      { ...step, args: [x, gy, folded, gx, ...step.args] },
    ];
  },
};
