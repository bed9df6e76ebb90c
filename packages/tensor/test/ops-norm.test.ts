import { test } from 'vitest';
import { batchNorm, conv2d, foldBatchNorm, layerNorm, relu } from '../src/ops/index.js';
import { expectClose, hostTensor, randomNumbers } from '../src/testing/index.js';
import { compute, expectAsReference, expectTensor, forEveryDevice, random } from './support.js';

await forEveryDevice((device) => {
  test('layerNorm of a row with known deviation', async () => {
    // Mean 5, variance 5: deviations −3, −1, 1, 3.
    const x = device.tensor([2, 4, 6, 8, 8, 6, 4, 2], [2, 4]);
    const s = 1 / Math.sqrt(5 + 1e-5);
    const plain = [-3 * s, -s, s, 3 * s, 3 * s, s, -s, -3 * s];
    await expectTensor(layerNorm(x), [2, 4], plain, 'norm');
    const weight = device.tensor([1, 2, 3, 4]);
    const bias = device.tensor([0, 10, 0, -1]);
    const scaled = [-3 * s, -2 * s + 10, 3 * s, 12 * s - 1, 3 * s, 2 * s + 10, -3 * s, -12 * s - 1];
    await expectTensor(layerNorm(x, { weight, bias }), [2, 4], scaled, 'norm');
    await expectTensor(
      layerNorm(x, { bias }),
      [2, 4],
      plain.map((v, i) => v + [0, 10, 0, -1][i % 4]!),
      'norm',
    );
    await expectTensor(
      layerNorm(x, { weight }),
      [2, 4],
      plain.map((v, i) => v * ((i % 4) + 1)),
      'norm',
    );
    const wide = 1 / Math.sqrt(5 + 4);
    await expectTensor(
      layerNorm(x, { eps: 4 }),
      [2, 4],
      plain.map((v) => (v / s) * wide),
      'norm',
    );
  });

  test('layerNorm of constant rows, single channels and nothing', async () => {
    await expectTensor(layerNorm(device.tensor([7, 7, 7, 7, 7], [1, 5])), [1, 5], [0, 0, 0, 0, 0]);
    const bias = device.tensor([2]);
    await expectTensor(layerNorm(device.tensor([7, -3], [2, 1]), { bias }), [2, 1], [2, 2]);
    await expectTensor(layerNorm(device.empty([0, 4])), [0, 4], []);
  });

  test('layerNorm far from zero loses only what the input lost', async () => {
    const data = randomNumbers(4 * 320, { seed: 5 }).map((v) => 1000 + v);
    // The mean of values near 1000 is known to 1000 · 2⁻²⁴; over a deviation of 0.58 that is 1e-4, and the square of
    // the mean would be wrong by more than the variance.
    const { data: got } = await hostTensor(layerNorm(device.tensor(data, [4, 320])));
    const expected = Float64Array.from({ length: 4 * 320 }, (_, i) => {
      const row = [...data.subarray(320 * Math.floor(i / 320), 320 * (Math.floor(i / 320) + 1))];
      const mean = row.reduce((a, b) => a + b, 0) / 320;
      const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / 320;
      return (data[i]! - mean) / Math.sqrt(variance + 1e-5);
    });
    expectClose({ shape: [4, 320], data: got }, { shape: [4, 320], data: expected }, { relative: 1e-4 });
  });

  test('layerNorm over long and odd rows', async () => {
    for (const channels of [3, 4, 17, 64, 1281]) {
      const inputs = {
        x: random([5, channels], { seed: channels }),
        weight: random([channels]),
        bias: random([channels]),
      };
      await expectAsReference(device, inputs, ({ x, ...options }) => layerNorm(x, { ...options, eps: 1e-6 }), {
        kind: 'norm',
        what: `${channels} channels`,
      });
    }
  });

  test('foldBatchNorm is the affine map of a batch norm', async () => {
    const options = { mean: device.tensor([1, -2]), variance: device.tensor([4, 0.25]), eps: 0 };
    const plain = foldBatchNorm(options);
    await expectTensor(plain.scale, [2], [0.5, 2]);
    await expectTensor(plain.shift, [2], [-0.5, 4]);
    const full = foldBatchNorm({ ...options, weight: device.tensor([4, 3]), bias: device.tensor([1, 100]) });
    await expectTensor(full.scale, [2], [2, 6]);
    await expectTensor(full.shift, [2], [-1, 112]);
    const eps = foldBatchNorm({ mean: device.tensor([1]), variance: device.tensor([0]) });
    await expectTensor(eps.scale, [1], [1 / Math.sqrt(1e-5)], 'arithmetic');
  });

  test('batchNorm', async () => {
    const x = device.tensor([3, -2, 5, -1], [2, 1, 1, 2]);
    const options = { mean: device.tensor([1, -2]), variance: device.tensor([4, 0.25]), eps: 0 };
    await expectTensor(batchNorm(x, options), [2, 1, 1, 2], [1, 0, 2, 2]);
    await expectTensor(batchNorm(device.empty([0, 2]), options), [0, 2], []);
  });

  test('a folded batch norm in a convolution equals the two in a row', async () => {
    const inputs = {
      x: random([1, 5, 6, 3]),
      w: random([10, 3, 3, 3], { seed: 2 }),
      mean: random([10], { seed: 3 }),
      variance: random([10], { seed: 4, low: 0.5, high: 2 }),
      weight: random([10], { seed: 5 }),
      bias: random([10], { seed: 6 }),
    };
    const steps = await compute(device, inputs, ({ x, w, ...s }) => relu(batchNorm(conv2d(x, w, { padding: 1 }), s)));
    const folded = await compute(device, inputs, ({ x, w, ...s }) => {
      const { scale, shift } = foldBatchNorm(s);
      return conv2d(x, w, { padding: 1, scale, bias: shift, activation: 'relu' });
    });
    expectClose(folded, steps, { relative: 1e-6 });
  });
});
