/** How the GPU computes dense 3×3 convolutions and those over pyramids: algorithms, texts, and what fits a device. */
import { describe, expect, test } from 'vitest';
import { conv2dImplicitWebGpu, conv2dWebGpu } from '../src/backends/webgpu/kernels/conv2d.js';
import { conv2dPyramidBy, conv2dPyramidWebGpu } from '../src/backends/webgpu/kernels/conv2d-pyramid.js';
import { chooseConvolution } from '../src/backends/webgpu/kernels/convolution-algorithm.js';
import type { WebGpuStep } from '../src/backends/webgpu/program.js';
import { sizeOf } from '../src/shape.js';
import {
  allSteps,
  describeProgram,
  expectValidProgram,
  operand,
  webGpuTestMachine as machine,
} from './webgpu-support.js';

const names = (steps: readonly WebGpuStep[]): string[] => steps.map(({ shader }) => shader.name);

function convolve(size: number, channels: number, kernel = conv2dWebGpu): readonly WebGpuStep[] {
  const map = operand([1, size, size, channels]);
  const params = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1, activation: 'relu' } as const;
  const inputs = { x: map, weight: operand([channels, channels, 3, 3]), bias: operand([channels]) };
  return kernel(inputs, { y: map }, params, machine);
}

/** UPerNet's last convolution for maps at a quarter, …, a thirty-second of an input. */
function bottleneck(height: number, width: number, channels = 512): readonly WebGpuStep[] {
  const [x, level1, level2, level3] = [4, 8, 16, 32].map((stride) =>
    operand([1, height / stride, width / stride, channels]),
  );
  const weight = operand([channels, 4 * channels, 3, 3]);
  const folded = { scale: operand([channels]), bias: operand([channels]) };
  const inputs = { x: x!, level1: level1!, level2: level2!, level3: level3!, weight, ...folded };
  return conv2dPyramidWebGpu(inputs, { y: operand(x!.shape) }, { activation: 'relu' }, machine);
}

/** Bytes of each buffer that the steps are bound to. */
function bufferSizes(steps: readonly WebGpuStep[]): number[] {
  return allSteps(steps)
    .flatMap(({ bindings }) => bindings.map(({ resource }) => resource))
    .flatMap((resource) => {
      if (resource.kind === 'operand') return [sizeOf(resource.shape) * 4];
      return resource.kind === 'target' ? [] : [resource.bytes];
    });
}

describe('a dense 3×3 convolution', () => {
  const at = (size: number, channels: number, change: object = {}) =>
    chooseConvolution({
      ...{ images: 1, output: [size, size], channels, outputs: channels },
      ...{ kernel: [3, 3], stride: [1, 1], dilation: [1, 1], groups: 1, ...change },
    });

  test("goes by Winograd's algorithm in a decode head", () => {
    for (const size of [128, 64, 32, 16]) expect(at(size, 512)).toBe('winograd4');
    expect(at(128, 64)).toBe('winograd4');
  });

  test('is a direct sum where Winograd does not fit or does not pay', () => {
    expect(at(8, 512)).toBe('implicit');
    expect(at(128, 16)).toBe('implicit');
    expect(at(128, 512, { outputs: 16 })).toBe('implicit');
    expect(at(128, 512, { kernel: [1, 3] })).toBe('implicit');
    expect(at(128, 512, { stride: [2, 2] })).toBe('implicit');
    expect(at(128, 512, { dilation: [1, 2] })).toBe('implicit');
    expect(at(128, 512, { groups: 2 })).toBe('implicit');
  });

  test('says in its steps which it is', () => {
    expect(names(convolve(64, 512))).toEqual(['winogradInput', 'gemm', 'winogradOutput']);
    expect(names(convolve(64, 512, conv2dImplicitWebGpu))).toEqual(['gemm']);
  });

  test('transforms its weight once, to 36 matrices', () => {
    const { resource } = convolve(16, 512)[1]!.bindings[1]!;
    expect(resource).toMatchObject({ kind: 'prepared', bytes: 36 * 512 * 512 * 4 });
  });

  test('goes over its tiles in bands that fit a buffer', () => {
    // 16384 tiles, of which 1820 fit.
    const steps = convolve(512, 512);
    expect(names(steps).filter((name) => name === 'winogradInput')).toHaveLength(10);
    const scratch = steps.flatMap(({ bindings }) => bindings).filter(({ resource }) => resource.kind === 'scratch');
    for (const { resource } of scratch) {
      expect((resource as { readonly bytes: number }).bytes).toBeLessThanOrEqual(machine.maxBindingBytes);
    }
    expectValidProgram(steps);
  });

  test('has these texts', () => {
    expect(
      describeProgram(allSteps(convolve(64, 64).filter(({ shader }) => shader.name !== 'gemm'))),
    ).toMatchSnapshot();
    const [packing] = allSteps([convolve(64, 64)[1]!]);
    expect(describeProgram([packing!])).toMatchSnapshot();
  });
});

describe('a convolution over a pyramid', () => {
  test('has a product for each coarse map, and one sum', () => {
    expect(names(bottleneck(512, 512))).toEqual([
      ...['winogradInput', 'gemm', 'winogradOutput'],
      ...['gemm', 'gemm', 'gemm', 'pyramidSum'],
    ]);
  });

  test('never builds the upsampled maps: InternImage-T at 512×2048 fits the default limits', () => {
    const steps = bottleneck(512, 2048);
    expectValidProgram(steps);
    // The finest map itself is as large as a binding can be: 128 × 512 pixels of 512 channels.
    expect(Math.max(...bufferSizes(steps))).toBe(machine.maxBindingBytes);
    expect(names(steps).filter((name) => name === 'pyramidSum')).toHaveLength(4);
    expect(names(steps).filter((name) => name === 'winogradInput')).toHaveLength(3);
  });

  test('binds no more buffers than a device has', () => {
    const map = operand([1, 8, 8, 4]);
    const channels = operand([4]);
    const inputs = {
      ...{ x: map, level1: map, level2: map, level3: map, level4: map, weight: operand([4, 20, 3, 3]) },
      ...{ scale: channels, bias: channels, layerScale: channels, residual: map },
    };
    const steps = (maxStorageBuffers: number) =>
      conv2dPyramidBy('implicit')(
        inputs,
        { y: operand([1, 8, 8, 4]) },
        { activation: 'gelu' },
        { ...machine, maxStorageBuffers },
      );
    const sums = (most: number) => names(steps(most)).filter((name) => name === 'pyramidSum').length;
    expectValidProgram(steps(8));
    expect([sums(10), sums(9), sums(8), sums(6)]).toEqual([1, 1, 2, 2]);
  });

  test('has this text', () => {
    const [x, level1] = [operand([1, 16, 16, 8]), operand([1, 8, 8, 8])];
    const inputs = { x, level1, weight: operand([8, 16, 3, 3]) };
    const steps = conv2dPyramidBy('implicit')(inputs, { y: x }, { activation: 'relu' }, machine);
    expect(describeProgram(steps.slice(-1))).toMatchSnapshot();
  });
});
