/**
 * A 3×3 convolution over maps of several sizes without the upsampled maps. Upsampling works channel by channel and commutes
 * with the products with the weights: those of the coarse maps are formed at the maps' own size, for each of the nine
 * taps, and what upsampling makes of them is added to the convolution of the finest map (`conv2d-pyramid.wgsl.ts`).
 */
import type { Slot } from '../../../kernel.js';
import type { Conv2dPyramidInputs, Conv2dPyramidParams } from '../../../ops/conv2d-pyramid.js';
import { sizeOf } from '../../../shape.js';
import type { ConvolutionAlgorithm } from '../../convolution.js';
import { encodingOf } from '../floats.wgsl.js';
import {
  defineShader,
  gpuScratch,
  linearGrid,
  read,
  takingHalves,
  write,
  type WebGpuKernel,
  type WebGpuMachine,
  type WebGpuOperand,
  type WebGpuScratch,
  type WebGpuStep,
} from '../program.js';
import { convolutionProduct, shapeOf, type Convolution } from './conv2d.js';
import { pyramidInvocations, pyramidSumWgsl, pyramidUniforms, type PyramidSum } from './conv2d-pyramid.wgsl.js';
import { chooseConvolution } from './convolution-algorithm.js';
import { epilogueBindings, epilogueShape, noEpilogue } from './epilogue.wgsl.js';
import { product } from './gemm.js';
import type { Image } from './images.js';
import { packedTaps, type ChannelRange } from './packing.js';
import { checkSides } from './resize.js';
import { chooseRun } from './tiles.js';
import { winogradSteps } from './winograd.js';

type Kernel = WebGpuKernel<Conv2dPyramidInputs, { y: Slot }, Conv2dPyramidParams>;

const taps = 9;
/** Vectors of outputs whose products lie side by side: a few cache lines for neighbouring invocations. */
const blockVectors = 32;

const sumShader = defineShader('pyramidSum', pyramidSumWgsl);

interface Level {
  readonly map: WebGpuOperand;
  readonly range: ChannelRange;
}

/** The finest map's part by the algorithm that suits its shape. */
export const conv2dPyramidWebGpu: Kernel = taking((inputs, outputs, params, machine) => {
  const { main } = partsOf(inputs, outputs.y);
  return conv2dPyramidBy(chooseConvolution(shapeOf(main)))(inputs, outputs, params, machine);
});

/** The kernel with the finest map's part by one algorithm always. */
export function conv2dPyramidBy(algorithm: ConvolutionAlgorithm): Kernel {
  return taking((inputs, { y }, { activation }, machine) => {
    if (sizeOf(y.shape) === 0) return [];
    const { main, levels } = partsOf(inputs, y);
    const steps = algorithm === 'winograd4' ? winogradSteps : directSteps;
    const epilogue = {
      epilogue: epilogueShape(inputs, activation, machine),
      epilogueBindings: epilogueBindings(inputs),
    };
    const onTop = main.range.count > 0;
    if (levels.length === 0 && onTop) return steps({ ...main, ...epilogue }, machine);
    // Halves would round what the coarser maps' parts are added to.
    const sums = y.storage === 'f16' ? { to: gpuScratch(sizeOf(y.shape) * 4) } : {};
    return [
      ...(onTop ? steps({ ...main, ...sums }, machine) : []),
      ...levelSteps(levels, { ...main, ...sums, ...epilogue }, onTop, machine),
    ];
  });
}

function taking(kernel: Kernel): Kernel {
  return takingHalves(['x', 'level1', 'level2', 'level3', 'level4', 'residual', 'y'], kernel);
}

const directSteps = (convolution: Convolution, machine: WebGpuMachine): WebGpuStep[] =>
  product(convolutionProduct(convolution, machine), machine);

/** The finest map's convolution, without the epilogue, and the coarser maps that have channels. */
function partsOf(
  inputs: { readonly [K in keyof Conv2dPyramidInputs]: WebGpuOperand },
  y: WebGpuOperand,
): { readonly main: Convolution; readonly levels: readonly Level[] } {
  const { x, weight } = inputs;
  const range = { first: 0, count: x.shape[3]! };
  const plain = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 } as const;
  const levels: Level[] = [];
  let first = range.count;
  for (const map of [inputs.level1, inputs.level2, inputs.level3, inputs.level4]) {
    const count = map?.shape[3] ?? 0;
    if (map && count > 0) levels.push({ map, range: { first, count } });
    first += count;
  }
  return { main: { x, weight, range, y, ...plain, epilogue: noEpilogue, epilogueBindings: [] }, levels };
}

/** The steps that add the coarser maps' parts to the finest one's, if there is that, and apply the epilogue. */
function levelSteps(
  levels: readonly Level[],
  { weight, y, to: sums, epilogue, epilogueBindings: operands }: Convolution,
  onTop: boolean,
  machine: WebGpuMachine,
): WebGpuStep[] {
  const [images, height, width, outputs] = y.shape as Image;
  const vectors = Math.ceil(outputs / 4);
  const sizes = levels.map(({ map }) => map.shape as Image);
  for (const [, h, w] of sizes) checkSides([h, height], [w, width]);

  // Blocks of outputs, and as many of them at a time as the products of the largest map leave room for.
  const pixelVectors = Math.max(0, ...sizes.map(([, h, w]) => images * h * w)) * taps;
  const fitting = Math.floor(machine.maxBindingBytes / 16 / pixelVectors);
  const block = evenly(vectors, Math.max(1, Math.min(blockVectors, fitting)));
  const blocks = Math.ceil(vectors / block);
  const together = evenly(blocks, Math.max(1, Math.floor(fitting / block)));

  const products = sizes.map(([, h, w]) => gpuScratch(together * images * h * w * taps * block * 16));
  const groups = bindable(levels.length, machine.maxStorageBuffers - (sums ? 2 : 1), operands.length);
  const steps: WebGpuStep[] = [];
  for (let firstBlock = 0; firstBlock < blocks; firstBlock += together) {
    const matrices = Math.min(together, blocks - firstBlock);
    levels.forEach((level, i) => {
      steps.push(...levelProducts(level, weight, products[i]!, { block, blocks, firstBlock, matrices }, machine));
    });
    const firstVector = firstBlock * block;
    const here = Math.min(vectors - firstVector, matrices * block);
    const run = chooseRun(width, images * height * here, [8, 4, 2]);
    const runs = Math.ceil(width / run);
    const count = images * height * runs * here;
    const shared = { count, vectors: here, firstVector, block, images, height, width, runs, outputs };
    groups.forEach((members, group) => {
      const last = group === groups.length - 1;
      const to = last ? y : (sums ?? y);
      const begun = onTop || group > 0;
      const apart = begun && last && sums ? [read(sums)] : [];
      const shape: PyramidSum = {
        ...{ levels: members.length, run, vectors: outputs % 4 === 0 },
        ...{ onTop: begun, apart: apart.length > 0, to: encodingOf(to, machine) },
        epilogue: last ? epilogue : noEpilogue,
      };
      const sides = members.flatMap((member, i) => [
        [`height${i}`, sizes[member]![1]],
        [`width${i}`, sizes[member]![2]],
      ]);
      steps.push({
        shader: sumShader(shape),
        bindings: [...members.map((member) => read(products[member]!)), ...apart, ...(last ? operands : []), write(to)],
        uniforms: pyramidUniforms(members.length).words({ ...shared, ...Object.fromEntries(sides) }),
        workgroups: linearGrid(Math.ceil(count / pyramidInvocations), machine),
      });
    });
  }
  return steps;
}

/** The size of even parts of at most `most`. */
const evenly = (total: number, most: number): number => Math.ceil(total / Math.ceil(total / Math.min(total, most)));

/** The numbers of the levels in groups that one step can be bound to, the last one together with the epilogue. */
function bindable(levels: number, most: number, withLast: number): number[][] {
  const numbers = Array.from({ length: levels }, (_, i) => i);
  const last = numbers.splice(Math.max(0, levels - (most - withLast)));
  const groups: number[][] = [];
  while (numbers.length > 0) groups.push(numbers.splice(0, most));
  return [...groups, last];
}

interface Blocks {
  /** Vectors of outputs of a block. */
  readonly block: number;
  readonly blocks: number;
  readonly firstBlock: number;
  /** Blocks from the first on that are computed. */
  readonly matrices: number;
}

/** `[block, image and pixel, tap, output of the block]`: the products of a map's pixels with the weights' taps. */
function levelProducts(
  { map, range }: Level,
  weight: WebGpuOperand,
  to: WebGpuScratch,
  { block, blocks, firstBlock, matrices }: Blocks,
  machine: WebGpuMachine,
): WebGpuStep[] {
  const m = sizeOf(map.shape.slice(0, 3));
  const n = taps * block * 4;
  const half = machine.weightStorage === 'f16';
  return product(
    {
      ...{ matrices, m, n, k: range.count },
      left: { kind: 'matrix', transposed: false, vectors: range.count % 4 === 0, axes: 0 },
      leftFrom: map,
      right: { kind: 'packed', half },
      rightFrom: packedTaps(weight, { range, block: block * 4, blocks, half }, machine),
      uniforms: { firstMatrix: firstBlock },
      ...{ to, rowStride: n, matrixStride: m * n },
      ...{ epilogue: noEpilogue, epilogueBindings: [] },
    },
    machine,
  );
}
