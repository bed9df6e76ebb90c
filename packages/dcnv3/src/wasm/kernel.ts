import { f32, scratch, splitWork, type Slot, type WasmKernel } from '@ii/tensor';
import type { DCNv3Inputs, DCNv3Params } from '../dcnv3.js';
import { centre, pointCount } from '../geometry.js';
import { library } from './library.generated.js';

type Map4 = readonly [number, number, number, number];

/** Output elements below which a chunk is not worth its dispatch. */
const leastElements = 4096;

export const dcnv3Wasm: WasmKernel<DCNv3Inputs, { y: Slot }, DCNv3Params> = {
  library,
  program: ({ x, offset, mask, centerScale }, { y }, params, machine) => {
    const { groups, kernelSize, stride, dilation, offsetScale, softmax } = params;
    const [, height, width, channels] = x.shape as Map4;
    const [n, outHeight, outWidth] = y.shape as Map4;
    // A thread's tables, in words per point: grid x and y, largest logits, powers, two places, four weights.
    const table = Math.ceil((groups * pointCount(params)) / 4) * 16;
    const perThread = Math.ceil((10 * table + 32) / 64) * 64;
    const tables = scratch(machine.threads * perThread);
    const rows = n * outHeight;
    const { size, chunks } = splitWork(rows, machine, { least: Math.ceil(leastElements / (outWidth * channels)) });
    const shape = [height, width, groups, channels / groups, outHeight, outWidth, rows, size];
    const window = [...kernelSize, ...stride, centre(params, 0, 0), centre(params, 1, 0), ...dilation];
    const args = [x, offset, mask, centerScale ?? 0, y, tables, perThread, ...shape, ...window];
    return [{ fn: 'dcnv3', args: [...args, f32(offsetScale), softmax ? 1 : 0], chunks }];
  },
};
