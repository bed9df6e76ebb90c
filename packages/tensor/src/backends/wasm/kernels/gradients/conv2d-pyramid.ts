import type { Slot } from '../../../../kernel.js';
import type { PyramidTapInputs } from '../../../../ops/gradients/conv2d-pyramid.js';
import { sizeOf } from '../../../../shape.js';
import { library } from '../../library.generated.js';
import { scratch, splitWork, type WasmKernel } from '../../program.js';
import { leastElements } from './spatial.js';

type Image = readonly [number, number, number, number];

export const pyramidTapGradientWasm: WasmKernel<PyramidTapInputs, { gp: Slot }, object> = {
  library,
  program: ({ gy }, { gp }, _params, machine) => {
    if (sizeOf(gp.shape) === 0) return [];
    const [n, ho, wo, c] = gy.shape as Image;
    const [, h, w] = gp.shape as readonly number[] as Image;
    const perRow = Math.max(9 * w, (6 * wo * ho) / h) * c;
    const { size, chunks } = splitWork(n * h, machine, { least: Math.ceil(leastElements / perRow) });
    const perThread = Math.ceil((wo * c) / 4) * 16;
    const sums = scratch(machine.threads * perThread);
    return [{ fn: 'pyramidTapGradient', args: [gy, gp, h, w, c, ho, wo, n * h, size, sums, perThread], chunks }];
  },
};
