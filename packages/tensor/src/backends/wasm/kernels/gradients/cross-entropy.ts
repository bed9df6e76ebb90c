import { bytesPerElement } from '../../../../dtype.js';
import type { Slot } from '../../../../kernel.js';
import type {
  CrossEntropyGradientInputs,
  CrossEntropyInputs,
  CrossEntropyOutputs,
  CrossEntropyParams,
} from '../../../../ops/gradients/cross-entropy.js';
import { sizeOf } from '../../../../shape.js';
import { library } from '../../library.generated.js';
import type { WasmKernel } from '../../program.js';
import { channelRows } from '../elementwise.js';

export const crossEntropyWasm: WasmKernel<CrossEntropyInputs, CrossEntropyOutputs, CrossEntropyParams> = {
  library,
  program: ({ x, labels }, { loss, correct }, { ignoreIndex }, machine) => {
    const step = channelRows('crossEntropy', x.shape.at(-1)!, sizeOf(x.shape), machine);
    if (!step) return [];
    const args = [x, labels, loss, correct, ...step.args, bytesPerElement(labels.dtype), ignoreIndex];
    return [{ ...step, args }];
  },
};

export const crossEntropyGradientWasm: WasmKernel<CrossEntropyGradientInputs, { gx: Slot }, CrossEntropyParams> = {
  library,
  program: ({ x, labels, scale }, { gx }, { ignoreIndex }, machine) => {
    const step = channelRows('crossEntropyGradient', x.shape.at(-1)!, sizeOf(x.shape), machine);
    if (!step) return [];
    const args = [x, labels, scale, gx, ...step.args, bytesPerElement(labels.dtype), ignoreIndex];
    return [{ ...step, args }];
  },
};
