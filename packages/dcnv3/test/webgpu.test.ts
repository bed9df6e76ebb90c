/** The GPU program of DCNv3 as text, and its launch parameters; what it computes is tested with every other device. */
import { describe, expect, test } from 'vitest';
import type { Shape, WebGpuMachine, WebGpuOperand } from '@ii/tensor';
import type { DCNv3Params } from '../src/dcnv3.js';
import { chooseLaunch } from '../src/webgpu/launch.js';
import { dcnv3WebGpu } from '../src/webgpu/kernel.js';

/** WebGPU's default limits. */
const machine: WebGpuMachine = {
  ...{ f16: false, weightStorage: 'f32', subgroups: false, minSubgroupSize: 0, maxSubgroupSize: 0 },
  ...{ maxBindingBytes: 2 ** 27, maxStorageBuffers: 8, maxWorkgroupBytes: 16384, maxInvocations: 256 },
  ...{ maxWorkgroupsPerDimension: 65535, vendor: '', architecture: '' },
};

const params: DCNv3Params = {
  ...{ kernelSize: [3, 3], stride: [1, 1], padding: [1, 1], dilation: [1, 1] },
  ...{ groups: 4, offsetScale: 1, softmax: true },
};

const operand = (...shape: Shape): WebGpuOperand => ({ kind: 'operand', shape, dtype: 'f32' });

function program(size: number, groups: number, groupChannels: number, rest: Partial<DCNv3Params> = {}, center = false) {
  const map = (depth: number): WebGpuOperand => operand(1, size, size, depth);
  const x = map(groups * groupChannels);
  const inputs = { x, offset: map(groups * 18), mask: map(groups * 9), ...(center && { centerScale: map(groups) }) };
  return dcnv3WebGpu(inputs, { y: map(groups * groupChannels) }, { ...params, groups, ...rest }, machine);
}

describe('programs', () => {
  test('level 1 of InternImage-T: an invocation per group', () => {
    const [step, ...others] = program(128, 4, 16);
    expect(others).toEqual([]);
    expect(step!.workgroups).toEqual([(128 * 128 * 4) / 64, 1, 1]);
    expect(step!.shader.code).toMatchSnapshot();
  });

  test('odd groups, offset scale and centre scale', () => {
    const [step] = program(7, 3, 7, { offsetScale: 2, softmax: false }, true);
    expect(step!.bindings.map(({ access }) => access)).toEqual(['read', 'read', 'read', 'read', 'read_write']);
    expect(step!.shader.code).toMatchSnapshot();
  });

  test('levels, image sizes and offset scales share a shader', () => {
    const shader = program(128, 4, 16)[0]!.shader;
    expect(program(64, 8, 16)[0]!.shader).toBe(shader);
    expect(program(16, 32, 16)[0]!.shader).toBe(shader);
    expect(program(16, 4, 16, { offsetScale: 2 })[0]!.shader).toBe(program(16, 4, 16, { offsetScale: 0.5 })[0]!.shader);
  });

  test('a map without pixels has no work', () => {
    const none = operand(0, 8, 8, 64);
    const inputs = { x: none, offset: operand(0, 8, 8, 72), mask: operand(0, 8, 8, 36) };
    expect(dcnv3WebGpu(inputs, { y: none }, params, machine)).toEqual([]);
  });
});

describe('launch parameters', () => {
  test('16 channels per invocation: a group of -T to -XL, half a group of -H', () => {
    expect(chooseLaunch(16)).toMatchObject({ lanes: 4, reads: 4, shares: 1 });
    expect(chooseLaunch(32)).toMatchObject({ lanes: 4, reads: 4, shares: 2 });
  });

  test('every channel of a group belongs to one share', () => {
    for (let width = 1; width <= 128; width++) {
      const { lanes, reads, shares } = chooseLaunch(width);
      expect(width % lanes).toBe(0);
      const units = width / lanes;
      expect(reads * shares).toBeGreaterThanOrEqual(units);
      expect(reads * (shares - 1)).toBeLessThan(units);
    }
  });
});
