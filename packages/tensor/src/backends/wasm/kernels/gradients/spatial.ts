import type { Slot } from '../../../../kernel.js';
import { sizeOf } from '../../../../shape.js';
import { library } from '../../library.generated.js';
import { scratch, splitWork, type WasmKernel } from '../../program.js';

type Image = readonly [number, number, number, number];

/** Elements below which a chunk is not worth its dispatch. */
export const leastElements = 8192;

export const resizeBilinearGradientWasm: WasmKernel<{ gy: Slot }, { gx: Slot }, object> = {
  library,
  program: ({ gy }, { gx }, _params, machine) => {
    if (sizeOf(gx.shape) === 0) return [];
    const [n, h, w, c] = gx.shape as Image;
    const [, ho, wo] = gy.shape as Image;
    const perRow = Math.max(w, (2 * wo * ho) / h) * c;
    const { size, chunks } = splitWork(n * h, machine, { least: Math.ceil(leastElements / perRow) });
    const perThread = Math.ceil((wo * c) / 4) * 16;
    const sums = scratch(machine.threads * perThread);
    return [{ fn: 'resizeBilinearGradient', args: [gy, gx, h, w, c, ho, wo, n * h, size, sums, perThread], chunks }];
  },
};

export const adaptiveAvgPool2dGradientWasm: WasmKernel<{ gy: Slot }, { gx: Slot }, object> = {
  library,
  program: ({ gy }, { gx }, _params, machine) => {
    if (sizeOf(gx.shape) === 0) return [];
    const [n, h, w, c] = gx.shape as Image;
    const [, ho, wo] = gy.shape as Image;
    const pixels = n * h * w;
    const perPixel = Math.ceil(ho / h) * Math.ceil(wo / w) * c;
    const { size, chunks } = splitWork(pixels, machine, { least: Math.ceil(leastElements / perPixel) });
    return [{ fn: 'adaptiveAvgPool2dGradient', args: [gy, gx, h, w, c, ho, wo, pixels, size], chunks }];
  },
};
