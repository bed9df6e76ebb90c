/** Every operator of the GPU device that takes part in storing activations as halves, on small shapes. */
import {
  adaptiveAvgPool2d,
  add,
  addScaled,
  argmax,
  batchNorm,
  concat,
  conv2d,
  conv2dPyramid,
  gelu,
  layerNorm,
  linear,
  matmul,
  mul,
  permute,
  resizeArgmax,
  resizeBilinear,
  slice,
  softmax,
} from '../src/ops/index.js';
import { conv2dReference } from '../src/backends/reference/conv2d.js';
import { conv2dPyramidReference } from '../src/backends/reference/conv2d-pyramid.js';
import { conv2dWinogradWebGpu } from '../src/backends/webgpu/kernels/conv2d.js';
import { conv2dPyramidBy } from '../src/backends/webgpu/kernels/conv2d-pyramid.js';
import { takingHalves } from '../src/backends/webgpu/program.js';
import { defineKernel, type Slot } from '../src/kernel.js';
import type { Conv2dInputs, Conv2dParams } from '../src/ops/conv2d-forward.js';
import type { Conv2dPyramidInputs, Conv2dPyramidParams } from '../src/ops/conv2d-pyramid.js';
import type { Shape } from '../src/shape.js';
import type { Tensor } from '../src/tensor.js';
import type { ToleranceKind } from '../src/testing/index.js';

/** Algorithms that such small shapes do not get by themselves. */
const winogradKernel = defineKernel<Conv2dInputs, { y: Slot }, Conv2dParams>('conv2dWinograd', {
  reference: conv2dReference,
  webgpu: conv2dWinogradWebGpu,
});
const pyramidKernel = defineKernel<Conv2dPyramidInputs, { y: Slot }, Conv2dPyramidParams>('conv2dPyramid', {
  reference: conv2dPyramidReference,
  // Few buffers, so that the maps are added one after the other.
  webgpu: takingHalves(['x', 'level1', 'level2', 'y'], (inputs, outputs, params, machine) =>
    conv2dPyramidBy('winograd4')(inputs, outputs, params, { ...machine, maxStorageBuffers: 3 }),
  ),
});

type Operands = Readonly<Record<string, Tensor>>;

function convolve({ x, weight, ...epilogue }: Operands): Tensor {
  const y = x!.device.empty([...x!.shape.slice(0, 3), weight!.shape[0]!]);
  const params = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1, activation: 'relu' } as const;
  x!.device.enqueue(winogradKernel, { inputs: { x: x!, weight: weight!, ...epilogue }, outputs: { y }, params });
  return y;
}

function pyramid({ x, weight, level1, level2 }: Operands): Tensor {
  const y = x!.device.empty([...x!.shape.slice(0, 3), weight!.shape[0]!]);
  const inputs = { x: x!, level1: level1!, level2: level2!, weight: weight! };
  x!.device.enqueue(pyramidKernel, { inputs, outputs: { y }, params: { activation: 'none' } });
  return y;
}

export interface HalvesCase {
  /** Shapes of the operands that are halves. */
  readonly halves: Readonly<Record<string, Shape>>;
  /** Shapes of those that were uploaded. */
  readonly floats?: Readonly<Record<string, Shape>>;
  readonly body: (t: Readonly<Record<string, Tensor>>) => Tensor;
  readonly kind: ToleranceKind;
  /** One of the steps that run. */
  readonly step?: string;
  /** How the result is stored. Default: as halves. */
  readonly result?: 'f32' | 'f16';
}

export const halvesCases: Readonly<Record<string, HalvesCase>> = {
  unary: { halves: { x: [3, 8] }, body: ({ x }) => gelu(x!), kind: 'function' },
  'unary, rows of six': { halves: { x: [4, 6] }, body: ({ x }) => gelu(x!), kind: 'function', result: 'f32' },
  binary: { halves: { a: [3, 8], b: [8] }, body: ({ a, b }) => add(a!, b!), kind: 'arithmetic' },
  'binary, one for each row': {
    ...{ halves: { a: [4, 8], b: [4, 1] } },
    ...{ body: ({ a, b }) => mul(a!, b!), kind: 'arithmetic' },
  },
  'binary, rows of three': {
    ...{ halves: { a: [4, 2, 3], b: [4, 1, 3] }, result: 'f32' },
    ...{ body: ({ a, b }) => mul(a!, b!), kind: 'arithmetic' },
  },
  addScaled: {
    ...{ halves: { x: [5, 8], y: [5, 8] }, floats: { scale: [8] } },
    ...{ body: ({ x, y, scale }) => addScaled(x!, y!, scale!), kind: 'arithmetic' },
  },
  'batchNorm, rows of six': {
    ...{ halves: { x: [2, 6] }, floats: { mean: [6], root: [6] }, result: 'f32' },
    ...{ body: ({ x, mean, root }) => batchNorm(x!, { mean: mean!, variance: mul(root!, root!) }), kind: 'norm' },
  },
  layerNorm: {
    ...{ halves: { x: [3, 40] }, floats: { weight: [40], bias: [40] } },
    ...{ body: ({ x, weight, bias }) => layerNorm(x!, { weight, bias }), kind: 'norm' },
  },
  'layerNorm, rows of six': {
    ...{ halves: { x: [2, 6] }, result: 'f32' },
    ...{ body: ({ x }) => layerNorm(x!), kind: 'norm' },
  },
  'softmax of rows': { halves: { x: [4, 7] }, body: ({ x }) => softmax(x!), kind: 'function', result: 'f32' },
  'argmax of columns': { halves: { x: [4, 7] }, body: ({ x }) => argmax(x!, 0), kind: 'exact' },
  linear: {
    ...{ halves: { x: [5, 8], residual: [5, 12] }, floats: { weight: [12, 8], bias: [12] } },
    body: ({ x, weight, bias, residual }) => linear(x!, weight!, { bias, activation: 'relu', residual }),
    kind: 'sum',
  },
  'linear, sums in parts': {
    ...{ halves: { x: [4, 640] }, floats: { weight: [8, 640] }, step: 'gemmSumParts' },
    ...{ body: ({ x, weight }) => linear(x!, weight!), kind: 'sum' },
  },
  'linear of odd sizes': {
    ...{ halves: { x: [4, 7], residual: [4, 5] }, floats: { weight: [5, 7] }, result: 'f32' },
    ...{ body: ({ x, weight, residual }) => linear(x!, weight!, { residual }), kind: 'sum' },
  },
  'matmul of halves': {
    ...{ halves: { a: [2, 5, 6], b: [6, 8] } },
    ...{ body: ({ a, b }) => matmul(a!, b!), kind: 'sum' },
  },
  'matmul of halves, transposed': {
    ...{ halves: { a: [2, 6, 5], b: [8, 6] } },
    ...{ body: ({ a, b }) => matmul(a!, b!, { transposeA: true, transposeB: true }), kind: 'sum' },
  },
  'conv2d as a direct sum': {
    ...{ halves: { x: [1, 5, 6, 4], residual: [1, 3, 3, 8] }, floats: { weight: [8, 4, 3, 3] } },
    ...{ body: ({ x, weight, residual }) => conv2d(x!, weight!, { stride: 2, padding: 1, residual }), kind: 'sum' },
  },
  'conv2d of groups of two channels': {
    ...{ halves: { x: [1, 4, 4, 4] }, floats: { weight: [4, 2, 3, 3] }, result: 'f32' },
    ...{ body: ({ x, weight }) => conv2d(x!, weight!, { groups: 2, padding: 1 }), kind: 'sum' },
  },
  "conv2d by Winograd's algorithm": {
    ...{ halves: { x: [1, 5, 6, 6], residual: [1, 5, 6, 8] }, floats: { weight: [8, 6, 3, 3], bias: [8] } },
    ...{ body: convolve, kind: 'sum', step: 'winogradOutput' },
  },
  "conv2d by Winograd's algorithm, five channels to six": {
    ...{ halves: { x: [1, 4, 4, 5], residual: [1, 4, 4, 6] }, floats: { weight: [6, 5, 3, 3] } },
    ...{ body: convolve, kind: 'sum', step: 'winogradOutput', result: 'f32' },
  },
  'depthwise conv2d': {
    ...{ halves: { x: [1, 5, 6, 8] }, floats: { weight: [8, 1, 3, 3], bias: [8] } },
    ...{ body: ({ x, weight, bias }) => conv2d(x!, weight!, { padding: 1, groups: 8, bias }), kind: 'sum' },
  },
  'depthwise conv2d, six channels': {
    ...{ halves: { x: [1, 4, 4, 6] }, floats: { weight: [6, 1, 3, 3] }, result: 'f32' },
    ...{ body: ({ x, weight }) => conv2d(x!, weight!, { padding: 1, groups: 6 }), kind: 'sum' },
  },
  'conv2dPyramid, rounded once': {
    ...{ halves: { x: [1, 6, 6, 4], level1: [1, 4, 4, 8], level2: [1, 2, 2, 6] }, floats: { weight: [8, 18, 3, 3] } },
    ...{ body: ({ x, level1, level2, weight }) => conv2dPyramid([x!, level1!, level2!], weight!), kind: 'sum' },
  },
  "conv2dPyramid by Winograd's algorithm, map by map": {
    ...{ halves: { x: [1, 6, 6, 4], level1: [1, 4, 4, 8], level2: [1, 2, 2, 6] }, floats: { weight: [8, 18, 3, 3] } },
    ...{ body: pyramid, kind: 'sum', step: 'winogradOutput' },
  },
  resizeBilinear: {
    ...{ halves: { x: [1, 3, 4, 8] } },
    ...{ body: ({ x }) => resizeBilinear(x!, [5, 6]), kind: 'interpolation' },
  },
  'resizeBilinear, six channels': {
    ...{ halves: { x: [1, 2, 2, 6] }, result: 'f32' },
    ...{ body: ({ x }) => resizeBilinear(x!, [3, 3]), kind: 'interpolation' },
  },
  'resizeArgmax of six classes': {
    ...{ halves: { x: [1, 2, 2, 6] } },
    ...{ body: ({ x }) => resizeArgmax(x!, [5, 5]), kind: 'exact' },
  },
  adaptiveAvgPool2d: {
    ...{ halves: { x: [1, 5, 6, 8] } },
    ...{ body: ({ x }) => adaptiveAvgPool2d(x!, 2), kind: 'sum' },
  },
  'concat and slice keep halves': {
    ...{ halves: { a: [4, 4], b: [4, 6] }, kind: 'exact' },
    ...{ body: ({ a, b }) => slice(concat([a!, b!]), [0, 1], [4, 9]) },
  },
  'permute keeps halves': {
    ...{ halves: { x: [3, 5, 4] }, kind: 'exact' },
    ...{ body: ({ x }) => permute(x!, [2, 0, 1]) },
  },
};
