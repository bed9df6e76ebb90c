/** The programs of the GPU's gradient kernels as text, on any machine. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { depthwiseConv2dWeightGradientWebGpu } from '../src/backends/webgpu/kernels/gradients/conv2d.js';
import { conv2dWeightGradientWinogradWebGpu } from '../src/backends/webgpu/kernels/gradients/conv2d-winograd.js';
import {
  crossEntropyGradientWebGpu,
  crossEntropyWebGpu,
} from '../src/backends/webgpu/kernels/gradients/cross-entropy.js';
import { adamWWebGpu, unaryGradientWebGpu } from '../src/backends/webgpu/kernels/gradients/elementwise.js';
import {
  batchNormGradientWebGpu,
  batchNormReduceWebGpu,
  channelMomentsWebGpu,
  layerNormGradientWebGpu,
  layerNormParameterGradientWebGpu,
} from '../src/backends/webgpu/kernels/gradients/norm.js';
import { pyramidTapGradientWebGpu } from '../src/backends/webgpu/kernels/gradients/conv2d-pyramid.js';
import {
  resizeCrossEntropyGradientWebGpu,
  resizeCrossEntropyWebGpu,
} from '../src/backends/webgpu/kernels/gradients/resize-cross-entropy.js';
import {
  adaptiveAvgPool2dGradientWebGpu,
  resizeBilinearGradientWebGpu,
} from '../src/backends/webgpu/kernels/gradients/spatial.js';
import { describeProgram, expectValidProgram, operand, webGpuTestMachine as machine } from './webgpu-support.js';

const size = fc.constantFrom(1, 2, 3, 4, 6, 8, 64, 150, 1000);
const shape = fc.array(size, { minLength: 1, maxLength: 4 });
const sides = fc.tuple(size, size);

test('the parameters of a layer norm over 64 channels', () => {
  const x = operand([2, 128, 128, 64]);
  const outputs = { weight: operand([64]), bias: operand([64]) };
  expect(
    describeProgram(layerNormParameterGradientWebGpu({ x, gy: operand(x.shape) }, outputs, { eps: 1e-6 }, machine)),
  ).toMatchSnapshot();
});

test('a resize to a quarter of the sides', () => {
  const [gy, gx] = [operand([1, 512, 512, 150]), operand([1, 128, 128, 150])];
  expect(describeProgram(resizeBilinearGradientWebGpu({ gy }, { gx }, {}, machine))).toMatchSnapshot();
});

test('every program is one that WebGPU takes', () => {
  const fn = fc.constantFrom('relu', 'gelu', 'silu', 'sigmoid', 'exp', 'log', 'sqrt', 'abs', 'neg');
  const labels = fc.constantFrom('u8', 'i32');
  fc.assert(
    fc.property(shape, fn, labels, fc.boolean(), (dims, unary, dtype, optional) => {
      const [x, gy, gx] = [operand(dims), operand(dims), operand(dims)];
      const c = (): ReturnType<typeof operand> => operand(dims.slice(-1));
      const weight = optional && { weight: c() };
      expectValidProgram(unaryGradientWebGpu({ x, gy }, { gx }, { fn: unary }, machine));
      expectValidProgram(layerNormGradientWebGpu({ x, gy, ...weight }, { gx }, { eps: 1e-6 }, machine));
      const parameters = { weight: c(), bias: c() };
      expectValidProgram(layerNormParameterGradientWebGpu({ x, gy }, parameters, { eps: 1e-6 }, machine));
      const moments = { mean: c(), variance: c() };
      expectValidProgram(channelMomentsWebGpu({ x }, moments, {}, machine));
      expectValidProgram(batchNormReduceWebGpu({ x, gy, ...moments }, parameters, { eps: 1e-5 }, machine));
      const sums = { gradWeight: c(), gradBias: c() };
      const whole = { x, gy, ...moments, ...sums, ...weight };
      expectValidProgram(batchNormGradientWebGpu(whole, { gx }, { eps: 1e-5, count: 7 }, machine));
      const pixels = dims.slice(0, -1);
      const given = { x, labels: operand(pixels, dtype) };
      const ignored = { ignoreIndex: -100 };
      const results = { loss: operand(pixels), correct: operand(pixels) };
      expectValidProgram(crossEntropyWebGpu(given, results, ignored, machine));
      expectValidProgram(crossEntropyGradientWebGpu({ ...given, scale: operand([]) }, { gx }, ignored, machine));
      const state = { parameter: gx, mean: operand(dims), variance: operand(dims) };
      const constants = { decay: 1, beta1: 0.9, beta2: 0.999, eps: 1e-8, rate: 0.1, correction: 0.5 };
      const inputs = { ...state, gradient: gy, ...(optional && { scale: operand([]) }) };
      expectValidProgram(adamWWebGpu(inputs, state, constants, machine));
    }),
    { seed: 1, numRuns: 60 },
  );
});

test('every program over images is one that WebGPU takes', () => {
  const kernel = fc.tuple(fc.constantFrom(1, 3, 5, 7), fc.constantFrom(1, 2, 3, 5));
  const image = fc.tuple(fc.constantFrom(1, 2), size, size, fc.constantFrom(1, 2, 3, 64, 150));
  fc.assert(
    fc.property(image, sides, kernel, fc.constantFrom('u8', 'i32'), ([n, h, w, c], [ho, wo], taps, dtype) => {
      const [gx, gy] = [operand([n, h, w, c]), operand([n, ho, wo, c])];
      expectValidProgram(resizeBilinearGradientWebGpu({ gy }, { gx }, {}, machine));
      expectValidProgram(adaptiveAvgPool2dGradientWebGpu({ gy }, { gx }, {}, machine));
      expectValidProgram(pyramidTapGradientWebGpu({ gy }, { gp: operand([n, h, w, 9, c]) }, {}, machine));
      const given = { x: gx, labels: operand([n, ho, wo], dtype) };
      const results = { loss: operand([n, ho, wo]), correct: operand([n, ho, wo]) };
      expectValidProgram(resizeCrossEntropyWebGpu(given, results, { ignoreIndex: 255 }, machine));
      const scaled = { ...given, scale: operand([]) };
      const result = { gx: operand(gx.shape) };
      expectValidProgram(resizeCrossEntropyGradientWebGpu(scaled, result, { ignoreIndex: 255 }, machine));
      const gw = operand([c, 1, ...taps]);
      const params = { stride: [1, 2], padding: [1, 0], dilation: [2, 1] } as const;
      expectValidProgram(depthwiseConv2dWeightGradientWebGpu({ x: gx, gy }, { gw }, params, machine));
    }),
    { seed: 2, numRuns: 60 },
  );
});

test('the weights of a convolution by Winograd: tiles in bands and outputs in ranges that fit a buffer', () => {
  // 2048 tiles, of which 1820 fit; of 36 matrices of 512×2048 sums less than half of the outputs.
  const [x, gy, gw] = [operand([2, 128, 128, 2048]), operand([2, 128, 128, 512]), operand([512, 2048, 3, 3])];
  const steps = conv2dWeightGradientWinogradWebGpu({ x, gy }, { gw }, { padding: [1, 1] }, machine);
  const count = (name: string): number => steps.filter(({ shader }) => shader.name === name).length;
  const names = ['winogradInput', 'winogradOutputGradient', 'gemm', 'winogradWeightGradient'];
  expect(names.map(count)).toEqual([5, 10, 10, 2]);
  for (const { resource } of steps.flatMap(({ bindings }) => bindings)) {
    if (resource.kind === 'scratch') expect(resource.bytes).toBeLessThanOrEqual(machine.maxBindingBytes);
  }
  expectValidProgram(steps);
});

test('sums over nothing are written, other results of nothing are no step', () => {
  const [x, gy, c] = [operand([0, 3]), operand([0, 3]), operand([3])];
  expect(layerNormGradientWebGpu({ x, gy }, { gx: x }, { eps: 1 }, machine)).toEqual([]);
  const steps = layerNormParameterGradientWebGpu({ x, gy }, { weight: c, bias: operand([3]) }, { eps: 1 }, machine);
  expect(steps.map(({ shader }) => shader.name)).toEqual(['rowSums']);
  expect(channelMomentsWebGpu({ x }, { mean: c, variance: operand([3]) }, {}, machine)).toHaveLength(3);
});
