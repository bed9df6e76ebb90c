/** The gradient of a 3×3 convolution's weights by Winograd, against plain loops and against the other way. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { conv2dWeightGradientReference } from '../src/backends/reference/gradients/conv2d.js';
import { conv2dWeightGradientWinogradWasm } from '../src/backends/wasm/kernels/gradients/conv2d-winograd.js';
import { conv2dWeightGradientWinogradWebGpu } from '../src/backends/webgpu/kernels/gradients/conv2d-winograd.js';
import { createDevice } from '../src/create-device.js';
import { defineKernel, type Slot } from '../src/kernel.js';
import type { DenseWeightInputs, DenseWeightParams } from '../src/ops/gradients/conv2d-winograd.js';
import { winogradWeightGradient } from '../src/ops/gradients/index.js';
import type { Tensor } from '../src/tensor.js';
import { compute, drawn, expectAsReference, forEveryFastDevice, random } from './support.js';

const dense = { stride: [1, 1], dilation: [1, 1], groups: 1 } as const;

const forced = defineKernel<DenseWeightInputs, { gw: Slot }, DenseWeightParams>('conv2dWeightGradient', {
  reference: conv2dWeightGradientReference,
  wasm: conv2dWeightGradientWinogradWasm,
  // Small buffers, so that the tiles come in several bands and the outputs in several ranges.
  webgpu: (inputs, outputs, params, machine) =>
    conv2dWeightGradientWinogradWebGpu(inputs, outputs, params, { ...machine, maxBindingBytes: 2 ** 17 }),
});

function byWinograd(x: Tensor, gy: Tensor, padding: readonly [number, number]): Tensor {
  const gw = x.device.empty([gy.shape[3]!, x.shape[3]!, 3, 3]);
  x.device.enqueue(forced, { inputs: { x, gy }, outputs: { gw }, params: { padding } });
  return gw;
}

await forEveryFastDevice((device) => {
  const onGpu = device.name === 'webgpu';

  test('any size, padding and number of channels', async () => {
    const between = (min: number, max: number) => fc.integer({ min, max });
    const shapes = fc.record({
      n: between(1, 3),
      padding: fc.tuple(between(0, 3), between(0, 3)),
      h: between(3, 26),
      w: between(3, 37),
      c: between(1, 37),
      o: between(1, 37),
    });
    const property = fc.asyncProperty(shapes, async ({ n, padding, h, w, c, o }) => {
      const inputs = {
        x: random([n, h, w, c]),
        gy: random([n, h + 2 * padding[0] - 2, w + 2 * padding[1] - 2, o], { seed: 2 }),
      };
      const body = ({ x, gy }: Record<'x' | 'gy', Tensor>) => byWinograd(x, gy, padding);
      const terms = inputs.gy.data.length / o;
      await expectAsReference(device, inputs, body, { kind: 'sum', magnitude: body, terms });
    });
    await fc.assert(property, drawn(onGpu ? 12 : 24, device));
  });

  if (onGpu) return;
  test('more tiles than a band holds', async () => {
    const inputs = { x: random([1, 692, 690, 8]), gy: random([1, 692, 690, 8], { seed: 2 }) };
    const body = ({ x, gy }: Record<'x' | 'gy', Tensor>) => byWinograd(x, gy, [1, 1]);
    await expectAsReference(device, inputs, body, { kind: 'sum', magnitude: body, terms: 692 * 690 });
  });
});

test('the same bits on any number of threads', async () => {
  const inputs = { x: random([2, 37, 41, 24]), gy: random([2, 37, 41, 40], { seed: 2 }) };
  const on = async (threads: number) => {
    using device = await createDevice('wasm', { threads });
    return await compute(device, inputs, ({ x, gy }) => byWinograd(x, gy, [1, 1]));
  };
  expect(await on(5)).toEqual(await on(1));
});

test('few tiles or channels, strides, dilation and groups take the other way', async () => {
  using device = await createDevice('wasm', { threads: 0 });
  const shape = { ...dense, images: 1, output: [16, 16], channels: 8, outputs: 8, kernel: [3, 3] } as const;
  using x = device.tensor(new Float32Array(2048), [1, 16, 16, 8]);
  const chosen = (change: object): boolean => {
    const gradient = winogradWeightGradient(x, x, { ...shape, ...change }, [1, 1]);
    gradient?.dispose();
    return gradient !== null;
  };
  expect(chosen({})).toBe(true);
  const others = [
    { channels: 7 },
    { outputs: 7 },
    { output: [12, 12] },
    { stride: [1, 2] },
    { dilation: [2, 1] },
    { groups: 2 },
    { kernel: [3, 1] },
  ];
  for (const change of others) expect([change, chosen(change)]).toEqual([change, false]);
});
