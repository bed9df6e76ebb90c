/** The convolution over a pyramid against its plain form, with the finest map's part by either algorithm. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { conv2dPyramidReference } from '../src/backends/reference/conv2d-pyramid.js';
import type { ConvolutionAlgorithm } from '../src/backends/convolution.js';
import { conv2dPyramidBy as wasmBy, conv2dPyramidWasm } from '../src/backends/wasm/kernels/conv2d-pyramid.js';
import { conv2dPyramidBy as webGpuBy } from '../src/backends/webgpu/kernels/conv2d-pyramid.js';
import { createDevice } from '../src/create-device.js';
import type { Device } from '../src/device.js';
import { ShapeError } from '../src/errors.js';
import { defineKernel, type Slot } from '../src/kernel.js';
import { concat, conv2d, conv2dPyramid, resizeBilinear } from '../src/ops/index.js';
import type { Activation, EpilogueOptions } from '../src/ops/index.js';
import type { Conv2dPyramidInputs, Conv2dPyramidParams } from '../src/ops/conv2d-pyramid.js';
import type { Tensor } from '../src/tensor.js';
import { expectClose, tolerance } from '../src/testing/index.js';
import { compute, drawn, expectAsReference, forEveryDevice, forEveryFastDevice, random } from './support.js';

type Host = ReturnType<typeof random>;
type Tensors<T = Tensor> = Readonly<Record<string, T>>;

const forced = (['winograd4', 'implicit'] as const).map((algorithm) => ({
  algorithm,
  kernel: defineKernel<Conv2dPyramidInputs, { y: Slot }, Conv2dPyramidParams>(`conv2dPyramid ${algorithm}`, {
    reference: conv2dPyramidReference,
    wasm: wasmBy(algorithm, () => true),
    // Few and small buffers, so that blocks of outputs and groups of maps come one after the other.
    webgpu: (inputs, outputs, params, machine) =>
      webGpuBy(algorithm)(inputs, outputs, params, { ...machine, maxBindingBytes: 2 ** 14, maxStorageBuffers: 6 }),
  }),
}));

const byTaps = defineKernel<Conv2dPyramidInputs, { y: Slot }, Conv2dPyramidParams>('conv2dPyramid by taps', {
  reference: conv2dPyramidReference,
  wasm: wasmBy('implicit', () => false),
});

interface Case {
  readonly n: number;
  readonly sizes: readonly (readonly [height: number, width: number, channels: number])[];
  readonly outputs: number;
  readonly present?: readonly string[];
}

/** Operands under the kernel's names; none exceeds 1. */
function operands({ n, sizes, outputs, present = [] }: Case): Tensors<Host> {
  const [[h, w]] = sizes as readonly [readonly [number, number, number]];
  const inputs: Record<string, Host> = {};
  sizes.forEach((size, i) => (inputs[i === 0 ? 'x' : `level${i}`] = random([n, ...size], { seed: 50 + i })));
  inputs['weight'] = random([outputs, sizes.reduce((sum, [, , c]) => sum + c, 0), 3, 3], { seed: 2 });
  present.forEach((key, i) => {
    inputs[key] = random(key === 'residual' ? [n, h, w, outputs] : [outputs], { seed: 90 + i });
  });
  return inputs;
}

function parts(tensors: Tensors): { maps: Tensor[]; weight: Tensor; rest: EpilogueOptions } {
  const { x, weight, level1, level2, level3, level4, ...rest } = tensors;
  const maps = [x, level1, level2, level3, level4].filter((map) => map !== undefined);
  return { maps, weight: weight!, rest };
}

const fused =
  (activation: Activation = 'none') =>
  (tensors: Tensors): Tensor => {
    const { maps, weight, rest } = parts(tensors);
    return conv2dPyramid(maps, weight, { activation, ...rest });
  };

const by = (algorithm: ConvolutionAlgorithm, activation: Activation = 'none') =>
  enqueued(forced.find((entry) => entry.algorithm === algorithm)!.kernel, activation);

const enqueued =
  (kernel: typeof byTaps, activation: Activation = 'none') =>
  (tensors: Tensors): Tensor => {
    const x = tensors['x']!;
    const y = x.device.empty([...x.shape.slice(0, 3), tensors['weight']!.shape[0]!]);
    const inputs = tensors as Tensors & Readonly<Record<'x' | 'weight', Tensor>>;
    x.device.enqueue(kernel, { inputs, outputs: { y }, params: { activation } });
    return y;
  };

const plain =
  (activation: Activation = 'none') =>
  (tensors: Tensors): Tensor => {
    const { maps, weight, rest } = parts(tensors);
    const size = [maps[0]!.shape[1]!, maps[0]!.shape[2]!] as const;
    const joined = concat(maps.map((map, i) => (i ? resizeBilinear(map, size) : map)));
    return conv2d(joined, weight, { padding: 1, activation, ...rest });
  };

const between = (min: number, max: number) => fc.integer({ min, max });
const sizeUpTo = (most: number) => fc.tuple(between(1, most), between(1, most), between(1, 19));
const cases = fc.record({
  n: fc.constantFrom(0, 1, 1, 2),
  sizes: fc
    .tuple(sizeUpTo(14), fc.array(sizeUpTo(9), { minLength: 1, maxLength: 4 }))
    .map(([x, levels]) => [x, ...levels]),
  outputs: between(1, 41),
  present: fc.subarray(['scale', 'bias', 'layerScale', 'residual']),
  activation: fc.constantFrom<Activation>('none', 'relu', 'gelu', 'silu', 'sigmoid'),
});

/** Maps of half the finest one's size, in the channels that the form for them takes, among others. */
const halved = fc
  .record({
    n: fc.constantFrom(1, 1, 2),
    half: fc.tuple(between(1, 14), between(1, 14)),
    finest: between(1, 9),
    maps: fc.array(between(1, 3), { minLength: 1, maxLength: 2 }),
    others: fc.array(sizeUpTo(9), { maxLength: 2 }),
    outputs: between(1, 3),
    present: fc.subarray(['scale', 'bias', 'layerScale', 'residual']),
    activation: fc.constantFrom<Activation>('none', 'gelu'),
  })
  .map(({ half: [h, w], finest, maps, others, outputs, ...rest }) => ({
    ...rest,
    sizes: [[2 * h, 2 * w, finest] as const, ...maps.map((blocks) => [h, w, 16 * blocks] as const), ...others],
    outputs: 16 * outputs,
  }));

/** Each case compiles shaders of its own on a GPU. */
const runsOn = (device: Device): number => (device.name === 'webgpu' ? 8 : 60);

await forEveryFastDevice((device) => {
  for (const { algorithm } of forced) {
    test(`${algorithm}: any sizes, channels and epilogue`, async () => {
      const property = fc.asyncProperty(cases, ({ activation, ...rest }) =>
        expectAsReference(device, operands(rest), by(algorithm, activation), {
          kind: 'sum',
          magnitude: by(algorithm),
        }),
      );
      await fc.assert(property, drawn(runsOn(device), device));
    });
  }
});

describe('maps of half the size on wasm', () => {
  for (const [name, run] of [
    ['in the form for them', (activation: Activation) => by('implicit', activation)],
    ['by taps', (activation: Activation) => enqueued(byTaps, activation)],
  ] as const) {
    test(name, async () => {
      using device = await createDevice('wasm', { threads: 2 });
      const property = fc.asyncProperty(halved, ({ activation, ...rest }) =>
        expectAsReference(device, operands(rest), run(activation), { kind: 'sum', magnitude: run('none') }),
      );
      await fc.assert(property, drawn(60, device));
    });
  }
});

await forEveryFastDevice((device) => {
  test.each([
    [
      'a pyramid of odd sizes',
      [
        [5, 7, 33],
        [3, 4, 17],
        [2, 2, 40],
        [1, 1, 9],
      ],
    ],
    [
      'pooled maps',
      [
        [16, 16, 24],
        [1, 1, 20],
        [2, 2, 20],
        [3, 3, 20],
        [6, 6, 20],
      ],
    ],
    [
      'pooled maps larger than the map',
      [
        [4, 3, 8],
        [6, 6, 8],
        [3, 3, 8],
      ],
    ],
    [
      'many columns and long sums',
      [
        [3, 401, 6],
        [2, 200, 700],
        [1, 51, 385],
      ],
    ],
    [
      'many rows',
      [
        [203, 4, 6],
        [102, 2, 40],
        [26, 1, 5],
      ],
    ],
    [
      'one pixel',
      [
        [1, 1, 8],
        [1, 1, 4],
        [3, 5, 8],
      ],
    ],
    [
      'no channels in a map',
      [
        [9, 8, 0],
        [4, 4, 8],
        [2, 2, 0],
        [2, 3, 5],
      ],
    ],
  ] as const)('%s', async (_, sizes) => {
    const inputs = operands({ n: 1, sizes, outputs: 21, present: ['scale', 'bias'] });
    await expectAsReference(device, inputs, fused('relu'), { kind: 'sum', magnitude: fused() });
  });

  test('equals the plain composition on the same device', async () => {
    const sizes = [
      [32, 40, 64],
      [16, 20, 64],
      [8, 10, 64],
      [4, 5, 64],
    ] as const;
    const inputs = operands({ n: 2, sizes, outputs: 72, present: ['scale', 'bias'] });
    const expected = await compute(device, inputs, plain('relu'));
    const actual = await compute(device, inputs, fused('relu'));
    // Two results with rounding errors of their own, over 9 × 256 products.
    expectClose(actual, expected, { relative: 2 * tolerance('sum', 'f32', 9 * 256).relative });
  });
});

await forEveryDevice((device) => {
  test('known numbers', async () => {
    // A kernel of ones counts the pixels in sight; the level is 10 everywhere and so are all of its interpolations.
    const x = device.tensor(Array<number>(12).fill(1), [1, 3, 4, 1]);
    const level = device.tensor([10, 10], [1, 1, 2, 1]);
    const weight = device.tensor(Array<number>(18).fill(1), [1, 2, 3, 3]);
    const y = conv2dPyramid([x, level], weight, { bias: device.tensor([0.5]) });
    expect([...(await y.read())]).toEqual([4, 6, 6, 4, 6, 9, 9, 6, 4, 6, 6, 4].map((count) => 11 * count + 0.5));
  });

  test('one map is a convolution', async () => {
    const inputs = operands({ n: 1, sizes: [[5, 6, 3]], outputs: 4, present: ['bias'] });
    await expectAsReference(device, inputs, fused('relu'), { kind: 'sum', magnitude: plain() });
  });

  test('refuses what does not fit', () => {
    const map = (...shape: number[]) => device.empty(shape);
    const weight = map(4, 5, 3, 3);
    expect(() => conv2dPyramid([], weight)).toThrow(ShapeError);
    expect(() =>
      conv2dPyramid(
        Array.from({ length: 6 }, () => map(1, 2, 2, 1)),
        weight,
      ),
    ).toThrow(/1 to 5 maps, got 6/);
    expect(() => conv2dPyramid([map(1, 4, 4, 2), map(2, 2, 2, 3)], weight)).toThrow(/same batch/);
    expect(() => conv2dPyramid([map(1, 4, 4, 2), map(1, 0, 2, 3)], weight)).toThrow(ShapeError);
    expect(() => conv2dPyramid([map(1, 4, 4, 2), map(1, 2, 2, 2)], weight)).toThrow(/2 \+ 2 channels/);
    expect(() => conv2dPyramid([map(1, 4, 4, 2), map(1, 2, 2, 3)], map(4, 5, 1, 1))).toThrow(ShapeError);
    expect(() => conv2dPyramid([map(1, 4, 4, 2), map(1, 2, 2, 3)], weight, { bias: map(3) })).toThrow(/bias/);
  });
});

test('the same bits on any number of threads', async () => {
  const inputs = operands({
    n: 1,
    sizes: [
      [61, 50, 24],
      [31, 25, 24],
      [7, 9, 400],
    ],
    outputs: 40,
  });
  const on = async (threads: number) => {
    using device = await createDevice('wasm', { threads });
    return await compute(device, inputs, fused('silu'));
  };
  expect(await on(5)).toEqual(await on(1));
});

test('the reference is the plain composition', async () => {
  using oracle = await createDevice('reference');
  const inputs = operands({
    n: 2,
    sizes: [
      [7, 5, 3],
      [3, 3, 2],
    ],
    outputs: 4,
    present: ['scale', 'residual'],
  });
  const expected = await compute(oracle, inputs, plain('gelu'));
  expectClose(await compute(oracle, inputs, fused('gelu')), expected, { relative: 1e-14 });
});

describe('the program', () => {
  const operand = (shape: readonly number[]) => ({ kind: 'operand', shape, dtype: 'f32' }) as const;
  const steps = (size: number, level: number) =>
    conv2dPyramidWasm
      .program(
        { x: operand([1, size, size, 64]), level1: operand([1, level, level, 64]), weight: operand([64, 128, 3, 3]) },
        { y: operand([1, size, size, 64]) },
        { activation: 'relu' },
        { threads: 2, tileRows: 5, tileColumns: 8 },
      )
      .map(({ fn }) => fn);

  test('says how it computes the maps', () => {
    const finest = ['winogradInput', 'gemm', 'winogradOutput'];
    expect(steps(32, 3)).toEqual([...finest, 'pyramid']);
    const half = ['doubledInput', 'gemm', 'gemm', 'gemm', 'gemm', 'doubledOutput'];
    expect(steps(64, 32)).toEqual([...finest, ...half, 'pyramid']);
    // Too small for the form of doubled maps to pay.
    expect(steps(32, 16)).toEqual([...finest, 'pyramid']);
    expect(steps(4, 3)).toEqual(['gemmConv', 'pyramid']);
  });
});
