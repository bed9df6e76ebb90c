import { test } from 'vitest';
import { conv2d, linear, matmul } from '../src/ops/index.js';
import { expectAsReference, expectTensor, forEveryDevice, random } from './support.js';

await forEveryDevice((device) => {
  const grid = () => device.tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);

  test('conv2d correlates: the kernel is not flipped', async () => {
    const weight = device.tensor([1, 10, 100, 1000], [1, 1, 2, 2]);
    await expectTensor(conv2d(grid(), weight), [1, 2, 2, 1], [5421, 6532, 8754, 9865]);
  });

  test('conv2d with stride, padding and dilation that differ by axis', async () => {
    const weight = device.tensor([1, 10, 100, 1000], [1, 1, 2, 2]);
    await expectTensor(
      conv2d(grid(), weight, { padding: [1, 0] }),
      [1, 4, 2, 1],
      [2100, 3200, 5421, 6532, 8754, 9865, 87, 98],
    );
    await expectTensor(conv2d(grid(), weight, { stride: [2, 1] }), [1, 1, 2, 1], [5421, 6532]);
    const one = device.tensor([1], [1, 1, 1, 1]);
    await expectTensor(conv2d(grid(), one, { stride: [2, 1] }), [1, 2, 3, 1], [1, 2, 3, 7, 8, 9]);
    await expectTensor(conv2d(grid(), one, { stride: [1, 2] }), [1, 3, 2, 1], [1, 3, 4, 6, 7, 9]);
    await expectTensor(conv2d(grid(), one, { stride: 2, padding: [0, 1] }), [1, 2, 3, 1], [0, 2, 0, 0, 8, 0]);
    await expectTensor(conv2d(grid(), weight, { dilation: [1, 2] }), [1, 2, 1, 1], [6431, 9764]);
    await expectTensor(conv2d(grid(), weight, { padding: 1, stride: 3, dilation: 2 }), [1, 1, 1, 1], [5000]);
  });

  test('conv2d sums over input channels; output channels are last', async () => {
    const x = device.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
    const weight = device.tensor([1, 10, 100, 1000, 1, 1], [3, 2, 1, 1]);
    await expectTensor(conv2d(x, weight), [1, 1, 2, 3], [21, 2100, 3, 43, 4300, 7]);
  });

  test('conv2d with groups keeps them apart', async () => {
    const x = device.tensor([1, 2, 3, 4], [1, 1, 1, 4]);
    const weight = device.tensor([1, 10, 1, 1, 1, 10, 2, 0], [4, 2, 1, 1]);
    await expectTensor(conv2d(x, weight, { groups: 2 }), [1, 1, 1, 4], [21, 3, 43, 6]);
    const twice = device.tensor([1, 10, 100, 1000, 5, 6, 7, 8], [8, 1, 1, 1]);
    await expectTensor(conv2d(x, twice, { groups: 4 }), [1, 1, 1, 8], [1, 10, 200, 2000, 15, 18, 28, 32]);
  });

  test('depthwise conv2d filters each channel by itself', async () => {
    const x = device.tensor([1, 10, 2, 20, 3, 30], [1, 1, 3, 2]);
    const weight = device.tensor([1, 2, 3, 1, 0, 0], [2, 1, 1, 3]);
    await expectTensor(conv2d(x, weight, { groups: 2, padding: [0, 1] }), [1, 1, 3, 2], [8, 0, 14, 10, 8, 20]);
    await expectTensor(conv2d(x, weight, { groups: 2, padding: [0, 1], stride: 2 }), [1, 1, 2, 2], [8, 0, 8, 20]);
  });

  test('conv2d of no images and to no channels', async () => {
    await expectTensor(conv2d(device.empty([0, 3, 3, 2]), device.empty([4, 2, 3, 3])), [0, 1, 1, 4], []);
    await expectTensor(conv2d(grid(), device.empty([0, 1, 2, 2])), [1, 2, 2, 0], []);
  });

  test('products over no channels are the bias', async () => {
    const bias = device.tensor([3, -4]);
    await expectTensor(
      conv2d(device.empty([1, 1, 2, 0]), device.empty([2, 0, 1, 1]), { bias }),
      [1, 1, 2, 2],
      [3, -4, 3, -4],
    );
    await expectTensor(linear(device.empty([2, 0]), device.empty([2, 0]), { bias }), [2, 2], [3, -4, 3, -4]);
    await expectTensor(matmul(device.empty([1, 0]), device.empty([0, 2])), [1, 2], [0, 0]);
  });

  test('linear is x · weightᵀ over the last axis', async () => {
    const weight = device.tensor([1, 10, 100, 1, 1, 1], [2, 3]);
    await expectTensor(linear(device.tensor([1, 2, 3]), weight), [2], [321, 6]);
    const x = device.tensor([1, 2, 3, 4, 5, 6], [1, 2, 1, 3]);
    await expectTensor(linear(x, weight), [1, 2, 1, 2], [321, 6, 654, 15]);
    await expectTensor(linear(device.empty([0, 3]), weight), [0, 2], []);
  });

  test('matmul with either side transposed', async () => {
    const a = device.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
    const b = device.tensor([1, 0, 10, 1, 100, 0], [3, 2]);
    const at = device.tensor([1, 4, 2, 5, 3, 6], [3, 2]);
    const bt = device.tensor([1, 10, 100, 0, 1, 0], [2, 3]);
    const expected = [321, 2, 654, 5];
    await expectTensor(matmul(a, b), [2, 2], expected);
    await expectTensor(matmul(at, b, { transposeA: true }), [2, 2], expected);
    await expectTensor(matmul(a, bt, { transposeB: true }), [2, 2], expected);
    await expectTensor(matmul(at, bt, { transposeA: true, transposeB: true }), [2, 2], expected);
  });

  test('matmul broadcasts the leading axes', async () => {
    const a = device.tensor([1, 2, 3, 4], [2, 1, 1, 2]);
    const b = device.tensor([1, 1, 10, 1, 1, 0], [3, 2, 1]);
    await expectTensor(matmul(a, b), [2, 3, 1, 1], [3, 12, 1, 7, 34, 3]);
    await expectTensor(matmul(device.tensor([1, 1], [1, 2]), b), [3, 1, 1], [2, 11, 1]);
    await expectTensor(matmul(device.empty([0, 2, 3]), device.empty([3, 4])), [0, 2, 4], []);
  });

  test('long sums keep their accuracy', async () => {
    const k = 8192;
    const inputs = { x: random([3, k], { seed: 1, low: 0 }), w: random([9, k], { seed: 2, low: 0 }) };
    await expectAsReference(device, inputs, ({ x, w }) => linear(x, w), { kind: 'sum', terms: k });
    const images = { x: random([1, 4, 4, 1024], { seed: 3, low: 0 }), w: random([5, 1024, 3, 3], { seed: 4, low: 0 }) };
    await expectAsReference(device, images, ({ x, w }) => conv2d(x, w, { padding: 1 }), {
      kind: 'sum',
      terms: 9 * 1024,
    });
  });
});
