import type { ChannelAffineInputs, FoldBatchNormInputs, LayerNormInputs, LayerNormParams } from '../../../ops/norm.js';
import type { Slot } from '../../../kernel.js';
import { sizeOf } from '../../../shape.js';
import { library } from '../library.generated.js';
import { f32, type WasmKernel } from '../program.js';
import { channelRows } from './elementwise.js';

export const layerNormWasm: WasmKernel<LayerNormInputs, { y: Slot }, LayerNormParams> = {
  library,
  program: ({ x, weight, bias }, { y }, { eps }, machine) => {
    const step = channelRows('layerNorm', x.shape.at(-1)!, sizeOf(x.shape), machine, 4);
    return step ? [{ ...step, args: [x, weight ?? 0, bias ?? 0, y, ...step.args, f32(eps)] }] : [];
  },
};

export const foldBatchNormWasm: WasmKernel<
  FoldBatchNormInputs,
  { scale: Slot; shift: Slot },
  { readonly eps: number }
> = {
  library,
  program: ({ mean, variance, weight, bias }, { scale, shift }, { eps }) => {
    const channels = sizeOf(mean.shape);
    const args = [mean, variance, weight ?? 0, bias ?? 0, scale, shift, channels, f32(eps)];
    return channels === 0 ? [] : [{ fn: 'foldBatchNorm', args, chunks: 1 }];
  },
};

export const channelAffineWasm: WasmKernel<ChannelAffineInputs, { y: Slot }, object> = {
  library,
  program: ({ x, scale, shift }, { y }, _params, machine) => {
    const step = channelRows('channelAffine', sizeOf(scale.shape), sizeOf(x.shape), machine);
    return step ? [{ ...step, args: [x, scale, shift, y, ...step.args] }] : [];
  },
};
