import { bytesPerElement } from '../../../dtype.js';
import type { Slot } from '../../../kernel.js';
import type { ResizeArgmaxParams } from '../../../ops/spatial.js';
import { library } from '../library.generated.js';
import { scratch, splitWork, type WasmKernel } from '../program.js';

type Image = readonly [number, number, number, number];

/** Elements below which a chunk is not worth its dispatch. */
const leastElements = 8192;

export const resizeBilinearWasm: WasmKernel<{ x: Slot }, { y: Slot }, object> = {
  library,
  program: ({ x }, { y }, _params, machine) => {
    const [, h, w, c] = x.shape as Image;
    const [n, ho, wo] = y.shape as Image;
    const { size, chunks } = splitWork(n * ho, machine, { least: Math.ceil(leastElements / (wo * c)) });
    const args = [x, y, h, w, c, ho, wo, n * ho, size];
    return [{ fn: 'resizeBilinear', args, chunks }];
  },
};

export const resizeArgmaxWasm: WasmKernel<{ x: Slot }, { y: Slot }, ResizeArgmaxParams> = {
  library,
  program: ({ x }, { y }, { through }, machine) => {
    const [, h, w, c] = x.shape as Image;
    const [n, ho, wo] = y.shape as readonly [number, number, number];
    const [hm, wm] = through;
    // Rows of one image follow each other: a chunk shares the rows between the resizes among its output rows.
    const { size, chunks } = splitWork(n * ho, machine, { least: Math.ceil(leastElements / (wo * c)) });
    const perThread = 2 * wm * Math.ceil(c / 4) * 16;
    const rows = hm === h && wm === w ? 0 : scratch(machine.threads * perThread);
    const shape = [h, w, c, hm, wm, ho, wo, n * ho, size];
    return [{ fn: 'resizeArgmax', args: [x, y, ...shape, rows, perThread, bytesPerElement(y.dtype)], chunks }];
  },
};

export const adaptiveAvgPool2dWasm: WasmKernel<{ x: Slot }, { y: Slot }, object> = {
  library,
  program: ({ x }, { y }, _params, machine) => {
    const [, h, w, c] = x.shape as Image;
    const [n, ho, wo] = y.shape as Image;
    const units = n * ho * wo * Math.ceil(c / 4);
    const perUnit = Math.ceil(h / ho) * Math.ceil(w / wo) * 4;
    const { size, chunks } = splitWork(units, machine, { least: Math.ceil(leastElements / perUnit) });
    return [{ fn: 'adaptiveAvgPool2d', args: [x, y, h, w, c, ho, wo, units, size], chunks }];
  },
};
