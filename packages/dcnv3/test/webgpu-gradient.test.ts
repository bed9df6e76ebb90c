/** The GPU program of the gradient of DCNv3 as text; what it computes is tested with every other device. */
import { describe, expect, test } from 'vitest';
import type { Shape, WebGpuMachine, WebGpuOperand, WebGpuStep } from '@ii/tensor';
import type { DCNv3GradientParams } from '../src/dcnv3-gradient.js';
import { dcnv3GradientWebGpu } from '../src/webgpu/gradient.js';

/** WebGPU's default limits. */
const machine: WebGpuMachine = {
  ...{ f16: false, weightStorage: 'f32', subgroups: false, minSubgroupSize: 0, maxSubgroupSize: 0 },
  ...{ maxBindingBytes: 2 ** 27, maxStorageBuffers: 8, maxWorkgroupBytes: 16384, maxInvocations: 256 },
  ...{ maxWorkgroupsPerDimension: 65535, vendor: '', architecture: '' },
};

const params: DCNv3GradientParams = {
  ...{ kernelSize: [3, 3], stride: [1, 1], padding: [1, 1], dilation: [1, 1] },
  ...{ groups: 4, offsetScale: 1, softmax: true, deterministic: false },
};

const operand = (...shape: Shape): WebGpuOperand => ({ kind: 'operand', shape, dtype: 'f32' });

function program(
  size: number,
  groups: number,
  groupChannels: number,
  rest: Partial<DCNv3GradientParams> = {},
  center = false,
): readonly WebGpuStep[] {
  const map = (depth: number): WebGpuOperand => operand(1, size, size, depth);
  const [x, offset, mask, gy] = [groups * groupChannels, groups * 18, groups * 9, groups * groupChannels].map(map);
  const slots = { x: x!, offset: offset!, mask: mask!, ...(center && { centerScale: map(groups) }) };
  return dcnv3GradientWebGpu({ ...slots, gy: gy! }, slots, { ...params, groups, ...rest }, machine);
}

const names = (steps: readonly WebGpuStep[]): string[] =>
  steps.map(({ shader }) => shader.name.slice('dcnv3Gradient'.length));
const find = (steps: readonly WebGpuStep[], name: string): WebGpuStep => steps[names(steps).indexOf(name)]!;

describe('programs', () => {
  test('level 1 of InternImage-T: points are sorted, then gathered', () => {
    const steps = program(128, 4, 16);
    // 4 · 129² cells are 1041 runs of 64, these 17, these 1.
    const prefixSums = ['Sums', 'Sums', 'Prefix', 'Prefix', 'Prefix'];
    expect(names(steps)).toEqual(['Softmax', 'Clear', 'Sort', ...prefixSums, 'Sort', 'Gather', 'Points']);
    expect(find(steps, 'Gather').workgroups).toEqual([(128 * 128 * 4) / 64, 1, 1]);
    expect(find(steps, 'Gather').shader.code).toMatchSnapshot();
    expect(find(steps, 'Points').shader.code).toMatchSnapshot();
    expect(find(steps, 'Sort').shader.code).toMatchSnapshot();
  });

  test('sums of integers, odd groups, offset scale and centre scale', () => {
    const steps = program(7, 3, 7, { offsetScale: 2, softmax: false, deterministic: true }, true);
    expect(names(steps)).toEqual(['Clear', 'Sort', 'Sums', 'Prefix', 'Prefix', 'Sort', 'Gather', 'Points']);
    expect(find(steps, 'Gather').shader.code).toMatchSnapshot();
    expect(find(steps, 'Points').shader.code).toMatchSnapshot();
  });

  test('no step binds more buffers than every device has', () => {
    for (const deterministic of [false, true]) {
      for (const { bindings } of program(16, 10, 32, { deterministic }, true)) {
        expect(bindings.length).toBeLessThanOrEqual(machine.maxStorageBuffers);
      }
    }
  });

  test('levels, image sizes and offset scales share their shaders', () => {
    const shaders = (steps: readonly WebGpuStep[]) => new Set(steps.map(({ shader }) => shader));
    expect(shaders(program(128, 4, 16))).toEqual(shaders(program(64, 8, 16)));
    const scaled = (offsetScale: number) => shaders(program(16, 4, 16, { offsetScale }));
    expect(scaled(2)).toEqual(scaled(0.5));
  });

  test('a map without pixels has no work', () => {
    const none = operand(0, 8, 8, 64);
    const slots = { x: none, offset: operand(0, 8, 8, 72), mask: operand(0, 8, 8, 36) };
    expect(dcnv3GradientWebGpu({ ...slots, gy: none }, slots, params, machine)).toEqual([]);
  });
});
