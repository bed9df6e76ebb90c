import { f32, scratch, splitWork, type WasmKernel, type WasmMachine, type WasmStep } from '@ii/tensor';
import type { DCNv3GradientInputs, DCNv3GradientOutputs, DCNv3GradientParams } from '../dcnv3-gradient.js';
import { centre, pointCount } from '../geometry.js';
import { library } from './library.generated.js';

type Map4 = readonly [number, number, number, number];

export const dcnv3GradientWasm: WasmKernel<DCNv3GradientInputs, DCNv3GradientOutputs, DCNv3GradientParams> = {
  library,
  program: ({ x, offset, mask, centerScale, gy }, gradient, params, machine) => {
    const { groups, kernelSize, stride, dilation, offsetScale, softmax } = params;
    const [, height, width, channels] = x.shape as Map4;
    const [n, outHeight, outWidth] = gy.shape as Map4;
    const { groupsPerChunk, shares } = shareOut(n, groups, outHeight, machine);
    const blocks = Math.ceil(groups / groupsPerChunk);
    // A thread's tables, in words per point: six of one word, two places, four weights, four products.
    const table = Math.ceil((groupsPerChunk * pointCount(params)) / 4) * 16;
    const perThread = Math.ceil((16 * table + 64) / 64) * 64;
    const tables = scratch(machine.threads * perThread);
    const bytes = 4 * n * height * width * channels;
    const copies = shares > 1 ? scratch((shares - 1) * bytes + 16) : 0;
    const shape = [height, width, groups, channels / groups, outHeight, outWidth, groupsPerChunk, blocks];
    const window = [...kernelSize, ...stride, centre(params, 0, 0), centre(params, 1, 0), ...dilation];
    const inputs = [x, offset, mask, centerScale ?? 0, gy, tables, perThread, ...shape, ...window];
    const outputs = [gradient.x, gradient.offset, gradient.mask, gradient.centerScale ?? 0];
    const rows = [copies, bytes, shares, Math.ceil(outHeight / shares)];
    const args = [...inputs, f32(offsetScale), softmax ? 1 : 0, ...outputs, ...rows];
    const steps: WasmStep[] = [{ fn: 'dcnv3Gradient', args, chunks: n * blocks * shares }];
    if (shares > 1) {
      const { size, chunks } = splitWork(bytes, machine, { multiple: 16, least: 1 << 16 });
      steps.push({ fn: 'addCopies', args: [gradient.x, copies, bytes, shares - 1, size], chunks });
    }
    return steps;
  },
};

interface Shares {
  /** Groups of an image that one chunk computes. */
  readonly groupsPerChunk: number;
  /** Parts that the rows of an image are cut into; each has a gradient of x of its own, and these are added up. */
  readonly shares: number;
}

/** What a further copy of the gradient of x costs, as a part of the whole work: clearing it and adding it up. */
const copyCost = 0.1;
/** What a chunk of a single group costs more: its points do not fill whole vectors, and its pixels lie far apart. */
const narrowCost = 0.2;
/** Most parts that rows are cut into, which bounds the memory for copies. */
const mostShares = 4;

/**
 * How to share out the work: in chunks of groups, which own their part of the gradient of x, and if that leaves threads
 * idle, in rows as well. The result depends on the number of shares, and so only on shapes and the number of threads.
 */
export function shareOut(images: number, groups: number, rows: number, { threads }: WasmMachine): Shares {
  let best: Shares = { groupsPerChunk: groups, shares: 1 };
  if (threads === 1) return best;
  let least = Infinity;
  for (let shares = 1; shares <= Math.min(mostShares, rows); shares++) {
    for (let groupsPerChunk = groups; groupsPerChunk >= 1; groupsPerChunk--) {
      const chunks = images * Math.ceil(groups / groupsPerChunk) * shares;
      // Time of the slowest thread, in rows of one group.
      const time = (Math.ceil(chunks / threads) * groupsPerChunk * rows) / shares;
      const cost = time * (1 + copyCost * (shares - 1)) * (1 + narrowCost / groupsPerChunk);
      if (cost < least) {
        least = cost;
        best = { groupsPerChunk, shares };
      }
    }
  }
  return best;
}
