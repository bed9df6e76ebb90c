/** Both ways to compute a 3×3 convolution on the CPU device, each forced, against the reference. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { conv2dReference } from '../src/backends/reference/conv2d.js';
import { conv2dImplicitWasm } from '../src/backends/wasm/kernels/conv2d.js';
import { convolutionAlgorithm } from '../src/backends/wasm/kernels/convolution-algorithm.js';
import { conv2dWinogradWasm } from '../src/backends/wasm/kernels/winograd.js';
import type { Device } from '../src/device.js';
import { defineKernel, type Slot } from '../src/kernel.js';
import type { Conv2dInputs, Conv2dParams } from '../src/ops/conv2d.js';
import type { Activation, EpilogueOptions } from '../src/ops/epilogue.js';
import { scope } from '../src/scope.js';
import type { Tensor } from '../src/tensor.js';
import { deviceMatrix, devices, hostTensor } from '../src/testing/index.js';
import { drawn, expectAsReference, forEveryFastDevice, random, upload } from './support.js';

const forced = {
  winograd: defineKernel<Conv2dInputs, { y: Slot }, Conv2dParams>('conv2dWinograd', {
    reference: conv2dReference,
    wasm: conv2dWinogradWasm,
  }),
  implicit: defineKernel<Conv2dInputs, { y: Slot }, Conv2dParams>('conv2dImplicit', {
    reference: conv2dReference,
    wasm: conv2dImplicitWasm,
  }),
};
type Forced = keyof typeof forced;

/** A 3×3 convolution by the algorithm given. */
function convolve(
  by: Forced,
  x: Tensor,
  weight: Tensor,
  padding: readonly [number, number],
  { activation = 'none', ...rest }: EpilogueOptions = {},
): Tensor {
  const [n, h, w] = x.shape as [number, number, number];
  const y = x.device.empty([n, h + 2 * padding[0] - 2, w + 2 * padding[1] - 2, weight.shape[0]!]);
  const slots = Object.fromEntries(Object.entries(rest).filter(([, tensor]) => tensor !== undefined));
  const params = { stride: [1, 1], padding, dilation: [1, 1], groups: 1, activation } as const;
  x.device.enqueue(forced[by], { inputs: { x, weight, ...slots }, outputs: { y }, params });
  return y;
}

const between = (min: number, max: number) => fc.integer({ min, max });

await forEveryFastDevice((device) => {
  for (const by of ['winograd', 'implicit'] as const) {
    test(`${by}: any size, padding, number of channels and epilogue`, async () => {
      const shapes = fc.record({
        n: fc.constantFrom(0, 1, 1, 2, 3),
        padding: fc.tuple(between(0, 3), between(0, 3)),
        h: between(1, 21),
        w: between(1, 45),
        c: between(1, 37),
        o: between(1, 37),
        present: fc.subarray(['scale', 'bias', 'layerScale', 'residual']),
        activation: fc.constantFrom<Activation>('none', 'relu', 'gelu', 'silu', 'sigmoid'),
      });
      const property = fc.asyncProperty(shapes, async ({ n, padding, h, w, c, o, present, activation }) => {
        const out = [h + 2 * padding[0] - 2, w + 2 * padding[1] - 2] as const;
        fc.pre(out[0] > 0 && out[1] > 0);
        const operands = present.map((key, i) => [key, random(key === 'residual' ? [n, ...out, o] : [o], { seed: 90 + i })]);
        const inputs = {
          x: random([n, h, w, c]),
          weight: random([o, c, 3, 3], { seed: 2 }),
          ...(Object.fromEntries(operands) as Record<string, ReturnType<typeof random>>),
        };
        await expectAsReference(
          device,
          inputs,
          ({ x, weight, ...rest }) => convolve(by, x, weight, padding, { activation, ...rest }),
          { kind: 'sum', magnitude: ({ x, weight, ...rest }) => convolve(by, x, weight, padding, rest) },
        );
      });
      await fc.assert(property, drawn(60));
    });

    test(`${by}: rows of many tiles, more tiles than one band holds`, async () => {
      const inputs = { x: random([1, 9, 390, 5]), weight: random([7, 5, 3, 3], { seed: 2 }), bias: random([7], { seed: 3 }) };
      await expectAsReference(device, inputs, ({ x, weight, bias }) => convolve(by, x, weight, [1, 1], { bias }), {
        kind: 'sum',
        magnitude: ({ x, weight, bias }) => convolve(by, x, weight, [1, 1], { bias }),
      });
    });
  }
});

describe('algorithm', () => {
  const at = (size: number, change: object = {}) =>
    convolutionAlgorithm({
      images: 1,
      output: [size, size],
      channels: 512,
      outputs: 512,
      kernel: [3, 3],
      stride: [1, 1],
      dilation: [1, 1],
      groups: 1,
      ...change,
    });

  test('Winograd for the dense 3×3 convolutions of a decode head', () => {
    expect(at(128)).toBe('winograd4');
    expect(at(32)).toBe('winograd4');
  });

  test('the direct sum where Winograd does not fit or does not pay', () => {
    expect(at(1)).toBe('implicit');
    expect(at(6)).toBe('implicit');
    expect(at(64, { kernel: [1, 3] })).toBe('implicit');
    expect(at(64, { stride: [2, 2] })).toBe('implicit');
    expect(at(64, { dilation: [1, 2] })).toBe('implicit');
    expect(at(64, { groups: 2 })).toBe('implicit');
    expect(at(64, { channels: 3 })).toBe('implicit');
  });
});
