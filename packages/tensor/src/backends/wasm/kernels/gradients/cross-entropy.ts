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
import { scratch, splitWork, type WasmKernel } from '../../program.js';
import { channelRows } from '../elementwise.js';
import { padded } from './blocks.js';

type Image = readonly [number, number, number, number];

/** Elements below which a chunk is not worth its dispatch. */
const leastElements = 8192;

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

export const resizeCrossEntropyWasm: WasmKernel<CrossEntropyInputs, CrossEntropyOutputs, CrossEntropyParams> = {
  library,
  program: ({ x, labels }, { loss, correct }, { ignoreIndex }, machine) => {
    if (sizeOf(labels.shape) === 0) return [];
    const [, h, w, c] = x.shape as Image;
    const [n, ho, wo] = labels.shape as readonly [number, number, number];
    const { size, chunks } = splitWork(n * ho, machine, { least: Math.ceil(leastElements / (wo * c)) });
    const perThread = (w + 1) * padded(c) * 4;
    const rows = scratch(machine.threads * perThread);
    const label = [bytesPerElement(labels.dtype), ignoreIndex];
    const args = [x, labels, loss, correct, h, w, c, ho, wo, n * ho, size, rows, perThread, ...label];
    return [{ fn: 'resizeCrossEntropy', args, chunks }];
  },
};

export const resizeCrossEntropyGradientWasm: WasmKernel<CrossEntropyGradientInputs, { gx: Slot }, CrossEntropyParams> =
  {
    library,
    program: ({ x, labels, scale }, { gx }, { ignoreIndex }, machine) => {
      if (sizeOf(x.shape) === 0) return [];
      const [n, h, w, c] = x.shape as Image;
      const [, ho, wo] = labels.shape as readonly [number, number, number];
      const perRow = (ho / h) * wo * c;
      // Neighbouring chunks both visit the labels between them: few chunks, each of a few rows at least.
      const least = Math.max(4, Math.ceil(leastElements / Math.max(1, perRow)));
      const { size, chunks } = splitWork(n * h, machine, { least });
      const perThread = (2 * w + 1) * padded(c) * 4;
      const rows = scratch(machine.threads * perThread);
      const label = [bytesPerElement(labels.dtype), ignoreIndex];
      const args = [x, labels, scale, gx, h, w, c, ho, wo, n * h, size, rows, perThread, ...label];
      return [{ fn: 'resizeCrossEntropyGradient', args, chunks }];
    },
  };
