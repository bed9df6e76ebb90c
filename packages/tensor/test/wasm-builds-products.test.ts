/**
 * Products by every build of the kernel library, whichever of them the device would choose here: tiles of 5×8, 6×8 and
 * 6×16, with and without fused multiply-add.
 */
import { describe, expect, test } from 'vitest';
import { WasmBackend } from '../src/backends/wasm/backend.js';
import { fastestBuild, hasRelaxedSimd } from '../src/backends/wasm/build.js';
import { experimentalSimd } from '../src/backends/wasm/experimental-simd.js';
import { Device } from '../src/device.js';
import { conv2d, conv2dPyramid, linear, matmul } from '../src/ops/index.js';
import type { Tensor } from '../src/tensor.js';
import { expectAsReference, random } from './support.js';

type Tensors<T> = { readonly [K in keyof T]: Tensor };

// For relaxed SIMD in Node 20, and for vectors of 256 bits where there are any.
experimentalSimd(true);

test('this engine runs every build; the larger tiles are for V8 13 and later', () => {
  expect(hasRelaxedSimd()).toBe(true);
  expect(fastestBuild(false)).toBe(Number.parseInt(process.versions.v8) >= 13 ? 'tall' : 'relaxed');
});

describe.each(['plain', 'relaxed', 'tall', 'wide'] as const)('%s', (build) => {
  const withDevice = async (body: (device: Device) => Promise<void>): Promise<void> => {
    const { backend, reason } = await WasmBackend.start({ threads: 0, weightBudget: 2 ** 30, build });
    const device = new Device(backend, `wasm: ${reason}`);
    try {
      await body(device);
    } finally {
      device.dispose();
    }
  };

  // Rows around the tiles' heights, K around the four steps that the larger tile takes together, and both in many blocks.
  const rows = [1, 2, 5, 6, 7, 11, 12, 13, 97, 103];
  const depths = [1, 2, 3, 4, 5, 8, 31, 389];

  test('linear', () =>
    withDevice(async (device) => {
      for (const m of rows) {
        for (const k of depths) {
          const inputs = { x: random([m, k]), weight: random([43, k], { seed: 2 }), bias: random([43], { seed: 3 }) };
          const run = ({ x, weight, bias }: Tensors<typeof inputs>) => linear(x, weight, { bias });
          await expectAsReference(device, inputs, run, { kind: 'sum', magnitude: run, what: `${m} × ${k}` });
        }
      }
    }));

  test('matmul of a transposed operand', () =>
    withDevice(async (device) => {
      for (const m of rows) {
        const inputs = { a: random([37, m]), b: random([37, 9], { seed: 2 }) };
        const run = ({ a, b }: Tensors<typeof inputs>) => matmul(a, b, { transposeA: true });
        await expectAsReference(device, inputs, run, { kind: 'sum', magnitude: run, what: `${m} rows` });
      }
    }));

  test.each([1, 2])('conv2d, stride %d', (stride) =>
    withDevice(async (device) => {
      for (const [height, width, channels] of [
        [5, 7, 3],
        [9, 11, 6],
        [8, 8, 20],
        [17, 13, 33],
      ] as const) {
        const inputs = {
          x: random([2, height, width, channels]),
          weight: random([21, channels, 3, 3], { seed: 2 }),
        };
        const run = ({ x, weight }: Tensors<typeof inputs>) => conv2d(x, weight, { padding: 1, stride });
        await expectAsReference(device, inputs, run, {
          kind: 'sum',
          magnitude: run,
          what: `${height} × ${width} × ${channels}`,
        });
      }
    }),
  );

  test('conv2dPyramid', () =>
    withDevice(async (device) => {
      const inputs = {
        fine: random([1, 13, 17, 9]),
        middle: random([1, 7, 9, 10], { seed: 2 }),
        coarse: random([1, 4, 5, 11], { seed: 3 }),
        weight: random([22, 30, 3, 3], { seed: 4 }),
      };
      const run = ({ fine, middle, coarse, weight }: Tensors<typeof inputs>) =>
        conv2dPyramid([fine, middle, coarse], weight);
      await expectAsReference(device, inputs, run, { kind: 'sum', magnitude: run });
    }));

  test('conv2dPyramid over a map of half the size', () =>
    withDevice(async (device) => {
      const inputs = {
        fine: random([1, 22, 34, 9]),
        half: random([1, 11, 17, 48], { seed: 2 }),
        weight: random([32, 57, 3, 3], { seed: 4 }),
      };
      const run = ({ fine, half, weight }: Tensors<typeof inputs>) => conv2dPyramid([fine, half], weight);
      await expectAsReference(device, inputs, run, { kind: 'sum', magnitude: run });
    }));
});
