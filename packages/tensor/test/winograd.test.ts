/** Both ways to compute a 3×3 convolution, each forced, against the reference. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { conv2dReference } from '../src/backends/reference/conv2d.js';
import { conv2dImplicitWasm, conv2dWasm } from '../src/backends/wasm/kernels/conv2d.js';
import { convolutionAlgorithm } from '../src/backends/wasm/kernels/convolution-algorithm.js';
import { conv2dWinogradWasm } from '../src/backends/wasm/kernels/winograd.js';
import { conv2dImplicitWebGpu, conv2dWinogradWebGpu } from '../src/backends/webgpu/kernels/conv2d.js';
import { defineKernel, type Slot } from '../src/kernel.js';
import { createDevice } from '../src/create-device.js';
import type { Conv2dInputs, Conv2dParams } from '../src/ops/conv2d.js';
import type { Activation, EpilogueOptions } from '../src/ops/epilogue.js';
import type { Tensor } from '../src/tensor.js';
import { compareTensors } from '../src/testing/index.js';
import { compute, drawn, expectAsReference, forEveryFastDevice, random } from './support.js';

const forced = {
  winograd: defineKernel<Conv2dInputs, { y: Slot }, Conv2dParams>('conv2dWinograd', {
    reference: conv2dReference,
    wasm: conv2dWinogradWasm,
    // Small buffers, so that the tiles come in several bands.
    webgpu: (inputs, outputs, params, machine) =>
      conv2dWinogradWebGpu(inputs, outputs, params, { ...machine, maxBindingBytes: 2 ** 17 }),
  }),
  implicit: defineKernel<Conv2dInputs, { y: Slot }, Conv2dParams>('conv2dImplicit', {
    reference: conv2dReference,
    wasm: conv2dImplicitWasm,
    webgpu: conv2dImplicitWebGpu,
  }),
};
type Forced = keyof typeof forced;
type Host = ReturnType<typeof random>;

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

const oracle = await createDevice('reference');

const between = (min: number, max: number) => fc.integer({ min, max });

await forEveryFastDevice((device) => {
  const onGpu = device.name === 'webgpu';
  // A GPU's direct sums of any shape are tested with the other products; each case compiles shaders of its own.
  const algorithms: readonly Forced[] = onGpu ? ['winograd'] : ['winograd', 'implicit'];
  for (const by of algorithms) {
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
        const operands = present.map((key, i) => [
          key,
          random(key === 'residual' ? [n, ...out, o] : [o], { seed: 90 + i }),
        ]);
        const inputs = {
          x: random([n, h, w, c]),
          weight: random([o, c, 3, 3], { seed: 2 }),
          ...(Object.fromEntries(operands) as Record<string, Host>),
        };
        await expectAsReference(
          device,
          inputs,
          ({ x, weight, ...rest }) => convolve(by, x, weight, padding, { activation, ...rest }),
          { kind: 'sum', magnitude: ({ x, weight, ...rest }) => convolve(by, x, weight, padding, rest) },
        );
      });
      await fc.assert(property, drawn(onGpu ? 24 : 60, device));
    });

    if (onGpu) continue;
    test(`${by}: two images in more tiles than a band holds`, async () => {
      const inputs = {
        x: random([2, 301, 399, 3]),
        weight: random([2, 3, 3, 3], { seed: 2 }),
        bias: random([2], { seed: 3 }),
      };
      const body = ({ x, weight, bias }: Record<'x' | 'weight' | 'bias', Tensor>) =>
        convolve(by, x, weight, [1, 1], { bias });
      await expectAsReference(device, inputs, body, { kind: 'sum', magnitude: body });
    });
  }
});

await forEveryFastDevice((device) => {
  test('the error stays small over six layers', async () => {
    const channels = 64;
    const layers = 6;
    // Weights that keep the size of the activations from layer to layer.
    const bound = Math.sqrt(6 / (9 * channels));
    const weights = Array.from({ length: layers }, (_, i) => [
      `weight${i}`,
      random([channels, channels, 3, 3], { seed: 10 + i, low: -bound, high: bound }),
    ]);
    const inputs = { x: random([1, 22, 19, channels]), ...(Object.fromEntries(weights) as Record<string, Host>) };
    const chain =
      (by: Forced) =>
      ({ x, ...rest }: { readonly x: Tensor }): Tensor =>
        Object.values(rest as Record<string, Tensor>).reduce(
          (map, weight) => convolve(by, map, weight, [1, 1], { activation: 'relu' }),
          x,
        );
    const expected = await compute(oracle, inputs, chain('implicit'));
    const error = async (by: Forced) =>
      compareTensors(await compute(device, inputs, chain(by)), expected, { relative: 1e-5 }).relative;
    expect(await error('implicit')).toBeLessThan(2e-6);
    expect(await error('winograd')).toBeLessThan(1e-5);
  });
});

test('Winograd gives the same bits on any number of threads', async () => {
  const inputs = { x: random([2, 37, 41, 24]), weight: random([40, 24, 3, 3], { seed: 2 }) };
  const on = async (threads: number) => {
    using device = await createDevice('wasm', { threads });
    return await compute(device, inputs, ({ x, weight }) => convolve('winograd', x, weight, [1, 1]));
  };
  expect(await on(5)).toEqual(await on(1));
});

describe('algorithm', () => {
  test('the program says which it is, and goes over the tiles in bands', () => {
    const operand = (shape: readonly number[]) => ({ kind: 'operand', shape, dtype: 'f32' }) as const;
    const steps = (size: number) => {
      const inputs = { x: operand([1, size, size, 512]), weight: operand([512, 512, 3, 3]) };
      const outputs = { y: operand([1, size, size, 512]) };
      const params = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1, activation: 'none' } as const;
      return conv2dWasm
        .program(inputs, outputs, params, { threads: 1, tileRows: 5, tileColumns: 8 })
        .map(({ fn }) => fn);
    };
    expect(steps(6)).toEqual(['gemmConv']);
    expect(steps(16)).toEqual(['winogradInput', 'gemm', 'winogradOutput']);
    expect(steps(64)).toEqual([...steps(16), ...steps(16)]);
  });

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
    expect(at(16)).toBe('winograd4');
    expect(at(8)).toBe('winograd4');
  });

  test('the direct sum where Winograd does not fit or does not pay', () => {
    expect(at(1)).toBe('implicit');
    expect(at(6)).toBe('implicit');
    expect(at(64, { kernel: [1, 3] })).toBe('implicit');
    expect(at(64, { stride: [2, 2] })).toBe('implicit');
    expect(at(64, { dilation: [1, 2] })).toBe('implicit');
    expect(at(64, { groups: 2 })).toBe('implicit');
    expect(at(64, { channels: 3 })).toBe('implicit');
    expect(at(64, { outputs: 3 })).toBe('implicit');
  });
});
