/** Gradient kernels against central differences of the operators, in f64 on the reference device. */
import { describe, test } from 'vitest';
import { createDevice } from '../src/create-device.js';
import {
  adaptiveAvgPool2dGradient,
  batchNormGradient,
  batchNormReduce,
  channelMoments,
  crossEntropyForward,
  crossEntropyGradient,
  depthwiseConv2dWeightGradient,
  layerNormGradient,
  layerNormParameterGradient,
  resizeBilinearGradient,
  unaryGradient,
} from '../src/ops/gradients/index.js';
import {
  abs,
  adaptiveAvgPool2d,
  batchNorm,
  conv2d,
  exp,
  gelu,
  layerNorm,
  log,
  mul,
  neg,
  relu,
  resizeBilinear,
  sigmoid,
  silu,
  sqrt,
  sum,
} from '../src/ops/index.js';
import { scope } from '../src/scope.js';
import type { Shape } from '../src/shape.js';
import type { Tensor } from '../src/tensor.js';
import { expectClose, hostTensor, type RandomRange } from '../src/testing/index.js';
import { random } from './support.js';

const device = await createDevice('reference');

const tensor = (shape: Shape, range: RandomRange = {}): Tensor =>
  device.tensor(Float64Array.from(random(shape, range).data), shape);

/** Steps of the difference quotient: its own error is about `step²`, that of the subtraction about `1e-16 / step`. */
const step = 1e-5;

/** Central differences of `Σ gy · f(x)` for every element of x. */
async function differences(x: Tensor, gy: Tensor | null, f: (x: Tensor) => Tensor): Promise<Float64Array> {
  const values = await x.readFloat64();
  const at = async (i: number, offset: number): Promise<number> => {
    const moved = values.slice();
    moved[i]! += offset;
    const total = scope(() => {
      const y = f(device.tensor(moved, x.shape));
      return sum(gy ? mul(y, gy) : y);
    });
    const [value] = await total.readFloat64();
    total.dispose();
    return value!;
  };
  const out = new Float64Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = ((await at(i, step)) - (await at(i, -step))) / (2 * step);
  return out;
}

async function check(gradient: Tensor, x: Tensor, gy: Tensor | null, f: (x: Tensor) => Tensor): Promise<void> {
  const expected = { shape: x.shape, data: await differences(x, gy, f) };
  expectClose(await hostTensor(gradient), expected, { relative: 1e-8 });
}

describe('functions of one argument', () => {
  const functions = { relu, gelu, silu, sigmoid, exp, log, sqrt, abs, neg };
  for (const [name, f] of Object.entries(functions)) {
    test(name, async () => {
      const low = name === 'log' || name === 'sqrt' ? 0.3 : -4;
      const [x, gy] = [tensor([23], { low, high: 4 }), tensor([23], { seed: 2 })];
      await check(unaryGradient(name as keyof typeof functions, x, gy), x, gy, f);
    });
  }
});

describe('norms', () => {
  const [x, gy] = [tensor([2, 3, 5], { low: -1, high: 2 }), tensor([2, 3, 5], { seed: 2 })];
  const [weight, bias] = [tensor([5], { seed: 3 }), tensor([5], { seed: 4 })];
  const eps = 1e-3;

  test('layerNorm', async () => {
    await check(layerNormGradient(x, gy, { weight, eps }), x, gy, (t) => layerNorm(t, { weight, bias, eps }));
    await check(layerNormGradient(x, gy, { eps }), x, gy, (t) => layerNorm(t, { eps }));
    const gradients = layerNormParameterGradient(x, gy, { eps });
    await check(gradients.weight, weight, gy, (t) => layerNorm(x, { weight: t, bias, eps }));
    await check(gradients.bias, bias, gy, (t) => layerNorm(x, { weight, bias: t, eps }));
  });

  test('batchNorm with the statistics of the batch', async () => {
    const training = (t: Tensor, w: Tensor = weight, b: Tensor = bias): Tensor =>
      batchNorm(t, { ...channelMoments(t), weight: w, bias: b, eps });
    const { mean, variance } = channelMoments(x);
    const sums = batchNormReduce(x, gy, mean, variance, eps);
    const options = { mean, variance, weight, eps, gradWeight: sums.weight, gradBias: sums.bias, count: 6 };
    await check(batchNormGradient(x, gy, options), x, gy, (t) => training(t));
    await check(sums.weight, weight, gy, (t) => training(x, t));
    await check(sums.bias, bias, gy, (t) => training(x, weight, t));
  });
});

describe('images', () => {
  const sizes = [
    [
      [3, 4],
      [7, 9],
    ],
    [
      [7, 5],
      [3, 2],
    ],
    [
      [1, 1],
      [3, 4],
    ],
    [
      [4, 3],
      [1, 1],
    ],
    [
      [2, 6],
      [5, 4],
    ],
  ] as const;

  test.for(sizes)('resizeBilinear and adaptiveAvgPool2d %s → %s', async ([from, to]) => {
    const [x, gy] = [tensor([2, ...from, 3]), tensor([2, ...to, 3], { seed: 2 })];
    await check(resizeBilinearGradient(gy, from), x, gy, (t) => resizeBilinear(t, to));
    await check(adaptiveAvgPool2dGradient(gy, from), x, gy, (t) => adaptiveAvgPool2d(t, to));
  });

  test('depthwise filters', async () => {
    const x = tensor([2, 5, 6, 3]);
    for (const [kernel, options, output] of [
      [[3, 3], { padding: 1 }, [5, 6]],
      [[3, 2], { stride: [2, 1], padding: [1, 0], dilation: [1, 2] }, [3, 4]],
      [[5, 5], { padding: 2 }, [5, 6]],
    ] as const) {
      const weight = tensor([3, 1, ...kernel], { seed: 3 });
      const gy = tensor([2, ...output, 3], { seed: 2 });
      await check(depthwiseConv2dWeightGradient(x, gy, kernel, options), weight, gy, (t) =>
        conv2d(x, t, { ...options, groups: 3 }),
      );
    }
  });
});

test('cross entropy with ignored pixels', async () => {
  const x = tensor([2, 3, 4], { low: -3, high: 3 });
  const labels = device.tensor([0, 3, 255, 1, 2, 2], [2, 3], { dtype: 'u8' });
  const scale = device.tensor(Float64Array.of(0.3), []);
  const gradient = crossEntropyGradient(x, labels, scale, { ignoreIndex: 255 });
  await check(gradient, x, null, (t) => mul(crossEntropyForward(t, labels, { ignoreIndex: 255 }).loss, scale));
});
