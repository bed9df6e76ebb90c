/** The fused epilogues against the same steps done by separate operators on the reference device. */
import { expect, test } from 'vitest';
import { add, conv2d, gelu, linear, mul, relu, sigmoid, silu } from '../src/ops/index.js';
import type { Activation, EpilogueOptions } from '../src/ops/index.js';
import { createDevice } from '../src/create-device.js';
import type { Tensor } from '../src/tensor.js';
import { expectClose, isSoftwareGpu, precisionOf, tolerance } from '../src/testing/index.js';
import { compute, expectTensor, forEveryDevice, random } from './support.js';

const reference = await createDevice('reference');
const activations: readonly Activation[] = ['none', 'relu', 'gelu', 'silu', 'sigmoid'];
const slots = ['scale', 'bias', 'layerScale', 'residual'] as const;
const separate: Readonly<Record<Activation, (x: Tensor) => Tensor>> = { none: (x) => x, relu, gelu, silu, sigmoid };

/** `y = residual + layerScale · activation(scale · product + bias)`, step by step. */
function steps(product: Tensor, { scale, bias, activation, layerScale, residual }: EpilogueOptions): Tensor {
  let y = product;
  if (scale) y = mul(y, scale);
  if (bias) y = add(y, bias);
  y = separate[activation ?? 'none'](y);
  if (layerScale) y = mul(y, layerScale);
  if (residual) y = add(y, residual);
  return y;
}

/** Output shapes that end inside a vector of four and inside a tile of rows. */
const products = {
  conv2d: {
    inputs: { x: random([2, 5, 4, 6], { seed: 10 }), weight: random([11, 6, 3, 3], { seed: 11 }) },
    shape: [2, 5, 4, 11],
    run: (x: Tensor, weight: Tensor, options: EpilogueOptions) => conv2d(x, weight, { padding: 1, ...options }),
  },
  'conv2d 1×1': {
    inputs: { x: random([1, 3, 5, 9], { seed: 12 }), weight: random([10, 9, 1, 1], { seed: 13 }) },
    shape: [1, 3, 5, 10],
    run: (x: Tensor, weight: Tensor, options: EpilogueOptions) => conv2d(x, weight, options),
  },
  'grouped conv2d': {
    inputs: { x: random([1, 5, 5, 6], { seed: 14 }), weight: random([10, 3, 3, 3], { seed: 15 }) },
    shape: [1, 3, 3, 10],
    run: (x: Tensor, weight: Tensor, options: EpilogueOptions) =>
      conv2d(x, weight, { groups: 2, stride: 2, padding: 1, ...options }),
  },
  'depthwise conv2d': {
    inputs: { x: random([2, 6, 5, 7], { seed: 16 }), weight: random([7, 1, 3, 3], { seed: 17 }) },
    shape: [2, 6, 5, 7],
    run: (x: Tensor, weight: Tensor, options: EpilogueOptions) =>
      conv2d(x, weight, { groups: 7, padding: 1, ...options }),
  },
  linear: {
    inputs: { x: random([3, 5, 13], { seed: 18 }), weight: random([10, 13], { seed: 19 }) },
    shape: [3, 5, 10],
    run: (x: Tensor, weight: Tensor, options: EpilogueOptions) => linear(x, weight, options),
  },
} as const;

await forEveryDevice((device) => {
  // Each combination is a shader of its own: where compiling takes long, no slot, every other one, all.
  const step = isSoftwareGpu(device) ? 5 : 1;
  for (const [name, { inputs, shape, run }] of Object.entries(products)) {
    for (const activation of activations) {
      test(`${name}, ${activation}: every combination of operands`, async () => {
        const channels = shape.at(-1)!;
        for (let chosen = 0; chosen < 2 ** slots.length; chosen += step) {
          const picked = slots.filter((_, i) => chosen & (1 << i));
          const extra = Object.fromEntries(
            picked.map((slot, i) => [
              slot,
              random(slot === 'residual' ? shape : [channels], { seed: 20 + i, high: 2 }),
            ]),
          );
          const all = { ...inputs, ...extra };
          const expected = await compute(reference, all, ({ x, weight, ...operands }) =>
            steps(run(x, weight, {}), { ...operands, activation }),
          );
          const actual = await compute(device, all, ({ x, weight, ...operands }) =>
            run(x, weight, { ...operands, activation }),
          );
          const bound = precisionOf(device) === 'f64' ? { relative: 1e-14 } : tolerance('sum', 'f32');
          expectClose(actual, expected, bound, `${name} with ${picked.join(', ') || 'nothing'}`);
        }
      });
    }
  }

  test('the order is scale, bias, activation, layer scale, residual', async () => {
    const x = device.tensor([1, 2], [2, 1]);
    const weight = device.tensor([1, -1], [2, 1]);
    const options = {
      scale: device.tensor([2, 3]),
      bias: device.tensor([1, 4]),
      activation: 'relu' as const,
      layerScale: device.tensor([-1, 10]),
      residual: device.tensor([100, 200, 300, 400], [2, 2]),
    };
    // relu(2·1+1) = 3, relu(3·−1+4) = 1; relu(2·2+1) = 5, relu(3·−2+4) = 0.
    await expectTensor(linear(x, weight, options), [2, 2], [97, 210, 295, 400]);
    const image = device.tensor([1, 2], [1, 1, 2, 1]);
    const filters = device.tensor([1, -1], [2, 1, 1, 1]);
    const residual = device.tensor([100, 200, 300, 400], [1, 1, 2, 2]);
    await expectTensor(conv2d(image, filters, { ...options, residual }), [1, 1, 2, 2], [97, 210, 295, 400]);
  });

  test('the residual may be the input itself', async () => {
    const x = device.tensor([1, 2, 3, 4], [2, 2]);
    const y = linear(x, device.tensor([1, 0, 0, 10], [2, 2]), { residual: x });
    await expectTensor(y, [2, 2], [2, 22, 6, 44]);
    expect([...(await x.read())]).toEqual([1, 2, 3, 4]);
  });
});
