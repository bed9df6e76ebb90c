/** The programs of convolutions and matrix products on the GPU as text, and their launch parameters. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { conv2dWebGpu, convolutionOf, convolutionProduct } from '../src/backends/webgpu/kernels/conv2d.js';
import { depthwiseConv2dWebGpu } from '../src/backends/webgpu/kernels/conv2d-depthwise.js';
import { launchProduct } from '../src/backends/webgpu/kernels/gemm.js';
import { linearProduct, linearWebGpu, matmulWebGpu } from '../src/backends/webgpu/kernels/linear.js';
import { chooseLaunch, chooseRun, invocationsOf, tiles, workgroupBytes } from '../src/backends/webgpu/kernels/tiles.js';
import { Launches } from '../src/launches.js';
import type { Conv2dParams } from '../src/ops/index.js';
import { describeProgram, expectValidProgram, operand, webGpuTestMachine as machine } from './webgpu-support.js';

const plain: Conv2dParams = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1, activation: 'none' };
/** A tile whose text is short. */
const tile = { rows: 16, columns: 16, depth: 16, invocationRows: 1, invocationColumns: 8, prefetch: false };

describe('texts', () => {
  test('linear with a whole epilogue', () => {
    const y = operand([4096, 256]);
    const channels = operand([256]);
    const inputs = { x: operand([4096, 64]), weight: operand([256, 64]), scale: channels, bias: channels };
    const rest = { layerScale: channels, residual: operand([4096, 256]) };
    const product = linearProduct({ ...inputs, ...rest }, { y }, { activation: 'gelu' }, machine);
    expect(describeProgram(launchProduct(product, { tile, splits: 1 }, machine))).toMatchSnapshot();
  });

  test('conv2d 3×3 of 512 channels, prefetched', () => {
    const [x, weight, y] = [operand([1, 32, 32, 512]), operand([512, 512, 3, 3]), operand([1, 32, 32, 512])];
    const product = convolutionProduct(convolutionOf({ x, weight }, { y }, plain, machine), machine);
    const prefetched = { ...tile, prefetch: true };
    expect(describeProgram(launchProduct(product, { tile: prefetched, splits: 1 }, machine))).toMatchSnapshot();
  });

  test('conv2d of odd channels with groups and split sums', () => {
    const [x, weight, y] = [operand([1, 9, 9, 6]), operand([10, 3, 3, 3]), operand([1, 9, 9, 10])];
    const inputs = { x, weight, bias: operand([10]) };
    const product = convolutionProduct(
      convolutionOf(inputs, { y }, { ...plain, groups: 2, activation: 'relu' }, machine),
      machine,
    );
    expect(describeProgram(launchProduct(product, { tile, splits: 2 }, machine))).toMatchSnapshot();
  });

  test('depthwise conv2d 3×3', () => {
    const [x, weight] = [operand([1, 128, 128, 64]), operand([64, 1, 3, 3])];
    expect(describeProgram(depthwiseConv2dWebGpu({ x, weight }, { y: x }, plain, machine))).toMatchSnapshot();
  });
});

describe('programs', () => {
  test('are valid for any convolution', () => {
    const between = (min: number, max: number) => fc.integer({ min, max });
    const axis = fc.record({
      k: between(1, 7),
      stride: between(1, 3),
      padding: between(0, 3),
      dilation: between(1, 2),
    });
    const shapes = fc.record({
      ...{ n: between(1, 4), v: axis, h: axis, height: between(14, 700), width: between(14, 700) },
      ...{ groups: fc.constantFrom(1, 1, 2, 5), c: between(1, 600), o: between(1, 600) },
    });
    const property = fc.property(shapes, ({ n, v, h, height, width, groups, c, o }) => {
      const out = (a: typeof v, size: number): number =>
        Math.floor((size + 2 * a.padding - a.dilation * (a.k - 1) - 1) / a.stride) + 1;
      const params: Conv2dParams = {
        stride: [v.stride, h.stride],
        padding: [v.padding, h.padding],
        dilation: [v.dilation, h.dilation],
        groups,
        activation: 'relu',
      };
      const x = operand([n, height, width, c * groups]);
      const y = operand([n, out(v, height), out(h, width), o * groups]);
      const [weight, bias] = [operand([o * groups, c, v.k, h.k]), operand([o * groups])];
      const inputs = { x, weight, scale: bias, bias, layerScale: bias, residual: operand(y.shape) };
      const steps = conv2dWebGpu(inputs, { y }, params, machine);
      expectValidProgram(steps);
      for (const { bindings } of steps) {
        for (const { resource } of bindings) {
          if (resource.kind === 'scratch') expect(resource.bytes).toBeLessThanOrEqual(machine.maxBindingBytes);
        }
      }
    });
    fc.assert(property, { seed: 20231, numRuns: 100 });
  });

  test('are valid for matrix products with broadcast batches', () => {
    const [a, b] = [operand([2, 1, 5, 7, 3]), operand([4, 1, 3, 9])];
    const params = { transposeA: false, transposeB: false };
    expectValidProgram(matmulWebGpu({ a, b }, { y: operand([2, 4, 5, 7, 9]) }, params, machine));
    const even = matmulWebGpu(
      { a: operand([6, 5, 8]), b: operand([6, 8, 4]) },
      { y: operand([6, 5, 4]) },
      params,
      machine,
    );
    // Both operands walk the batch evenly: one axis of 6, in elements.
    expect(even[0]!.uniforms!.slice(-3)).toEqual([6, 40, 32]);
  });

  test('refuse a product with more broadcast axes than words', () => {
    const axes = Array.from({ length: 18 }, (_, i) => i % 2);
    const a = operand([...axes.map((odd) => (odd ? 2 : 1)), 1, 1]);
    const b = operand([...axes.map((odd) => (odd ? 1 : 2)), 1, 1]);
    const y = operand([...axes.map(() => 2), 1, 1]);
    expect(() => matmulWebGpu({ a, b }, { y }, { transposeA: false, transposeB: false }, machine)).toThrow(
      'broadcast along 18 separate axes',
    );
  });

  test('of one layer in images of any size share their shaders', () => {
    const shadersOf = (height: number, width: number) => {
      const [x, y] = [operand([1, height, width, 64]), operand([1, height, width, 64])];
      const weight = operand([64, 64, 3, 3]);
      return conv2dWebGpu({ x, weight }, { y }, plain, machine).map(({ shader }) => shader);
    };
    expect(shadersOf(512, 683)).toEqual(shadersOf(480, 640));
    expect(shadersOf(512, 683)[0]).toBe(shadersOf(480, 640)[0]);
  });

  test('of no elements are empty', () => {
    const x = operand([0, 4]);
    expect(
      linearWebGpu({ x, weight: operand([3, 4]) }, { y: operand([0, 3]) }, { activation: 'none' }, machine),
    ).toEqual([]);
  });
});

describe('launch parameters', () => {
  const desktop = { ...machine, maxWorkgroupBytes: 32768, vendor: 'nvidia' };
  const launch = (m: number, n: number, k: number, vendor = 'nvidia') =>
    chooseLaunch({ matrices: 1, m, n, k }, { ...desktop, vendor });

  test('every tile shares out evenly', () => {
    for (const { rows, columns, depth, invocationRows, invocationColumns } of tiles) {
      expect([rows % invocationRows, columns % invocationColumns, invocationColumns % 4, depth % 4]).toEqual([
        0, 0, 0, 0,
      ]);
    }
  });

  test('the large convolution of the head has the largest tile and whole sums', () => {
    expect(launch(128 * 128, 512, 9 * 512)).toMatchObject({ tile: tiles[0], splits: 1 });
  });

  test('long sums over few pixels are split', () => {
    const { tile: chosen, splits } = launch(16 * 16, 512, 9 * 2560);
    const blocks = (256 / chosen.rows) * (512 / chosen.columns);
    expect(splits).toBeGreaterThan(8);
    expect(blocks * splits * invocationsOf(chosen)).toBeGreaterThan(2 ** 14);
    expect(launch(16 * 16, 512, 128).splits).toBe(1);
  });

  test('those that were measured take the place of the estimates, if the device can run them', () => {
    const shape = { matrices: 1, m: 128 * 128, n: 512, k: 9 * 512 };
    const { shapes } = chooseLaunch(shape, desktop, 'image');
    expect(shapes).toBe('product of image, 1×16384×512×4096');
    const chosen = (parameters: object, on = desktop) => {
      const launches = new Launches('a GPU', { 'a GPU': { [shapes!]: { ...parameters } } });
      return chooseLaunch(shape, { ...on, launches }, 'image').tile;
    };
    expect(chosen(tiles[5]!)).toBe(tiles[5]);
    expect(chosen({ ...tiles[5]!, rows: 65 })).toBe(tiles[0]);
    const small = { ...desktop, maxInvocations: 64 };
    expect(invocationsOf(tiles[0]!)).toBeGreaterThan(64);
    expect(invocationsOf(chosen(tiles[0]!, small))).toBeLessThanOrEqual(64);
  });

  test('rows in vectors are given to invocations whole', () => {
    const transposed = { transposeA: true, transposeB: false };
    for (const m of [4, 64, 4096]) {
      const operands = { a: operand([1024, m]), b: operand([1024, 64]) };
      const [step] = matmulWebGpu(operands, { y: operand([m, 64]) }, transposed, machine);
      expect(step!.shader.code).toContain('fn loadLeft(depth: u32, row4: u32, base: u32)');
    }
  });

  test('a few rows or columns do not pay for a large tile', () => {
    expect(launch(1, 512, 512).tile.rows).toBeLessThanOrEqual(8);
    expect(launch(16384, 10, 64).tile.columns).toBeLessThanOrEqual(16);
  });

  test('a GPU with few registers gets smaller blocks', () => {
    const { invocationRows, invocationColumns } = launch(128 * 128, 512, 9 * 512, 'intel').tile;
    expect(invocationRows * invocationColumns).toBeLessThanOrEqual(32);
  });

  test('stay within the least limits of a device', () => {
    const least = { maxWorkgroupBytes: 16384, maxInvocations: 128, vendor: '' };
    const sizes = fc.integer({ min: 1, max: 40000 });
    const property = fc.property(sizes, sizes, sizes, fc.integer({ min: 1, max: 8 }), (m, n, k, matrices) => {
      const { tile: chosen, splits } = chooseLaunch({ matrices, m, n, k }, least);
      expect(workgroupBytes(chosen)).toBeLessThanOrEqual(least.maxWorkgroupBytes);
      expect(invocationsOf(chosen)).toBeLessThanOrEqual(least.maxInvocations);
      expect(splits).toBeGreaterThanOrEqual(1);
      expect(splits === 1 || k / splits >= 256).toBe(true);
    });
    fc.assert(property, { seed: 20231, numRuns: 300 });
  });

  test('a depthwise convolution shares reads where there are invocations enough', () => {
    expect(chooseRun(128, 128 * 16)).toBe(4);
    expect(chooseRun(128, 600)).toBe(2);
    expect(chooseRun(16, 16 * 128)).toBe(1);
    expect(chooseRun(3, 2 ** 20)).toBe(2);
  });
});
