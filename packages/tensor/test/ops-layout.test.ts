import { expect, test } from 'vitest';
import { concat, flip, full, pad, permute, reshape, slice } from '../src/ops/index.js';
import { expectTensor, forEveryDevice } from './support.js';

await forEveryDevice((device) => {
  const iota = (shape: readonly number[]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return device.tensor(
      Array.from({ length: size }, (_, i) => i),
      shape,
    );
  };

  test('reshape keeps the order and fills in one size', async () => {
    const x = iota([2, 3]);
    await expectTensor(reshape(x, [3, 2]), [3, 2], [0, 1, 2, 3, 4, 5]);
    await expectTensor(reshape(x, [-1]), [6], [0, 1, 2, 3, 4, 5]);
    await expectTensor(reshape(x, [1, -1, 2]), [1, 3, 2], [0, 1, 2, 3, 4, 5]);
    await expectTensor(reshape(iota([1]), []), [], [0]);
    expect(reshape(iota([0, 3]), [5, 0]).shape).toEqual([5, 0]);
  });

  test('permute', async () => {
    await expectTensor(permute(iota([2, 3]), [1, 0]), [3, 2], [0, 3, 1, 4, 2, 5]);
    await expectTensor(permute(iota([1, 2, 2, 3]), [0, 3, 1, 2]), [1, 3, 2, 2], [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
    await expectTensor(permute(iota([2, 2, 2]), [-1, 1, 0]), [2, 2, 2], [0, 4, 2, 6, 1, 5, 3, 7]);
    await expectTensor(permute(iota([2, 0, 3]), [2, 0, 1]), [3, 2, 0], []);
    await expectTensor(permute(device.tensor([7], []), []), [], [7]);
  });

  test('flip', async () => {
    await expectTensor(flip(iota([2, 3]), 1), [2, 3], [2, 1, 0, 5, 4, 3]);
    await expectTensor(flip(iota([2, 3]), [0, -1]), [2, 3], [5, 4, 3, 2, 1, 0]);
    await expectTensor(flip(iota([1, 2, 3, 2]), 2), [1, 2, 3, 2], [4, 5, 2, 3, 0, 1, 10, 11, 8, 9, 6, 7]);
    await expectTensor(flip(iota([0, 3]), 0), [0, 3], []);
  });

  test('slice', async () => {
    const x = iota([3, 4]);
    await expectTensor(slice(x, [1, 1], [3, 3]), [2, 2], [5, 6, 9, 10]);
    await expectTensor(slice(x, [-1]), [1, 4], [8, 9, 10, 11]);
    await expectTensor(slice(x, [0, 2], [undefined, -1]), [3, 1], [2, 6, 10]);
    await expectTensor(slice(x, [1, 2], [1, 4]), [0, 2], []);
    await expectTensor(slice(x, []), [3, 4], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test('concat along every axis', async () => {
    const a = iota([1, 2, 2]);
    const b = device.tensor([10, 11, 12, 13], [1, 2, 2]);
    await expectTensor(concat([a, b], 0), [2, 2, 2], [0, 1, 2, 3, 10, 11, 12, 13]);
    await expectTensor(concat([a, b], 1), [1, 4, 2], [0, 1, 2, 3, 10, 11, 12, 13]);
    await expectTensor(concat([a, b]), [1, 2, 4], [0, 1, 10, 11, 2, 3, 12, 13]);
    await expectTensor(concat([a, iota([1, 2, 0]), b, a]), [1, 2, 6], [0, 1, 10, 11, 0, 1, 2, 3, 12, 13, 2, 3]);
    await expectTensor(concat([a]), [1, 2, 2], [0, 1, 2, 3]);
    await expectTensor(concat([iota([0, 2]), iota([0, 3])]), [0, 5], []);
  });

  test('pad', async () => {
    await expectTensor(
      pad(iota([1, 2]), [
        [1, 0],
        [1, 2],
      ]),
      [2, 5],
      [0, 0, 0, 0, 0, 0, 0, 1, 0, 0],
    );
    await expectTensor(pad(iota([2]), [[1, 1]], -3.5), [4], [-3.5, 0, 1, -3.5]);
    await expectTensor(pad(iota([0]), [[1, 2]], 2), [3], [2, 2, 2]);
  });

  test('elements of every dtype move', async () => {
    const bytes = device.tensor(Uint8Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
    await expectTensor(permute(bytes, [1, 0]), [3, 2], [1, 4, 2, 5, 3, 6]);
    await expectTensor(concat([bytes, bytes], 1), [2, 6], [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6]);
    await expectTensor(
      pad(
        bytes,
        [
          [0, 0],
          [1, 0],
        ],
        255,
      ),
      [2, 4],
      [255, 1, 2, 3, 255, 4, 5, 6],
    );
    await expectTensor(flip(bytes, [0, 1]), [2, 3], [6, 5, 4, 3, 2, 1]);
    await expectTensor(slice(bytes, [0, 1]), [2, 2], [2, 3, 5, 6]);
    const halves = device.tensor([0.5, -1, 2, 65504], [2, 2], { dtype: 'f16' });
    await expectTensor(permute(halves, [1, 0]), [2, 2], [0.5, 2, -1, 65504]);
    await expectTensor(
      pad(
        halves,
        [
          [1, 0],
          [0, 1],
        ],
        1.5,
      ),
      [3, 3],
      [1.5, 1.5, 1.5, 0.5, -1, 1.5, 2, 65504, 1.5],
    );
    const integers = device.tensor(Int32Array.of(-(2 ** 31), -1, 2 ** 31 - 1), [3]);
    await expectTensor(flip(integers, 0), [3], [2 ** 31 - 1, -1, -(2 ** 31)]);
    await expectTensor(pad(integers, [[1, 0]], -7), [4], [-7, -(2 ** 31), -1, 2 ** 31 - 1]);
  });

  test('full takes the dtype of its model', async () => {
    await expectTensor(full(device.tensor([]), [2, 2], -0.25), [2, 2], [-0.25, -0.25, -0.25, -0.25]);
    await expectTensor(full(device.tensor(new Uint8Array(0)), [3], 200), [3], [200, 200, 200]);
    await expectTensor(
      full(device.tensor(new Uint16Array(0)), [3], 0.1),
      [3],
      [0.0999755859375, 0.0999755859375, 0.0999755859375],
    );
    await expectTensor(full(device.tensor(new Int32Array(0)), [1], -5), [1], [-5]);
    await expectTensor(full(device.tensor([]), [0], 1), [0], []);
  });
});
