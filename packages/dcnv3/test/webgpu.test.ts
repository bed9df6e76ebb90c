/** The GPU program of DCNv3 as text, and its launch parameters; what it computes is tested with every other device. */
import { describe, expect, test } from 'vitest';
import type { Shape, WebGpuMachine, WebGpuOperand } from '@ii/tensor';
import type { DCNv3Params } from '../src/dcnv3.js';
import { chooseLaunch, launches } from '../src/webgpu/launch.js';
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
  const usual = (groupChannels: number) => chooseLaunch(groupChannels, 2 ** 16, machine).launch;

  test('16 channels per invocation: a group of -T to -XL, half a group of -H', () => {
    expect(usual(16)).toEqual({ lanes: 4, reads: 4, shares: 1, invocations: 64 });
    expect(usual(32)).toEqual({ lanes: 4, reads: 4, shares: 2, invocations: 64 });
  });

  test('every channel of a group belongs to one share', () => {
    for (let width = 1; width <= 128; width++) {
      for (const { lanes, reads, shares } of [usual(width), ...launches(width, 256)]) {
        expect(width % lanes).toBe(0);
        const units = width / lanes;
        expect(reads * shares).toBeGreaterThanOrEqual(units);
        expect(reads * (shares - 1)).toBeLessThan(units);
      }
    }
  });

  test('those that were measured take the place of the usual ones', () => {
    const asked: [string, number][] = [];
    const measured: WebGpuMachine = {
      ...machine,
      launches: {
        choose: (shapes, candidates) => {
          asked.push([shapes, candidates.length]);
          return candidates.at(-1)!;
        },
      },
    };
    const map = (depth: number): WebGpuOperand => operand(1, 30, 30, depth);
    const inputs = { x: map(64), offset: map(72), mask: map(36) };
    const [step] = dcnv3WebGpu(inputs, { y: map(64) }, params, measured);
    // 3600 groups; 1, 2 or 4 reads of four channels, 32 to 256 invocations.
    expect(asked).toEqual([['dcnv3 of 16 channels, 4096 groups', 12]]);
    expect(step).toMatchObject({
      launch: 'dcnv3 of 16 channels, 4096 groups',
      workgroups: [Math.ceil(3600 / 256), 1, 1],
    });
  });
});
