import { expect, test } from 'vitest';
import { argmax, max, mean, min, softmax, sum, sumSquares } from '../src/ops/index.js';
import { expectClose, hostTensor, precisionOf, tolerance } from '../src/testing/index.js';
import { expectTensor, forEveryDevice } from './support.js';

await forEveryDevice((device) => {
  const cube = () => device.tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [2, 3, 2]);

  test('reductions over every choice of axes', async () => {
    await expectTensor(sum(cube()), [], [78]);
    await expectTensor(sum(cube(), { axes: 0 }), [3, 2], [8, 10, 12, 14, 16, 18]);
    await expectTensor(sum(cube(), { axes: 1 }), [2, 2], [9, 12, 27, 30]);
    await expectTensor(sum(cube(), { axes: -1 }), [2, 3], [3, 7, 11, 15, 19, 23]);
    await expectTensor(sum(cube(), { axes: [0, 2] }), [3], [18, 26, 34]);
    await expectTensor(sum(cube(), { axes: [2, 1] }), [2], [21, 57]);
    await expectTensor(sum(cube(), { axes: [] }), [2, 3, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    await expectTensor(mean(cube(), { axes: [0, 2] }), [3], [4.5, 6.5, 8.5]);
    await expectTensor(mean(cube()), [], [6.5]);
    await expectTensor(max(cube(), { axes: [0, 1] }), [2], [11, 12]);
    await expectTensor(min(cube(), { axes: 1 }), [2, 2], [1, 2, 7, 8]);
  });

  test('squares are taken once, however many passes there are', async () => {
    await expectTensor(sumSquares(cube()), [], [650]);
    await expectTensor(sumSquares(cube(), { axes: [0, 2] }), [3], [118, 206, 326]);
    await expectTensor(sumSquares(cube(), { axes: 1 }), [2, 2], [35, 56, 251, 308]);
    await expectTensor(sumSquares(device.tensor([-3], [])), [], [9]);
    await expectTensor(sumSquares(device.tensor([-3, 2]), { axes: [] }), [2], [9, 4]);
    await expectTensor(sumSquares(device.empty([2, 0])), [], [0]);
    const long = device.tensor(new Float32Array(1 << 20).fill(-0.5));
    await expectTensor(sumSquares(long), [], [1 << 18]);
    long.dispose();
  });

  test('more lines than a grid has workgroups along one axis', async () => {
    const lines = 70_001;
    const x = device.tensor(
      Float32Array.from({ length: lines * 4 }, (_, i) => i),
      [lines, 2, 2],
    );
    const y = sum(x, { axes: 1 });
    const found = await y.readFloat32();
    for (const line of [0, 65_535, 65_536, lines - 2, lines - 1]) {
      expect([found[2 * line], found[2 * line + 1]]).toEqual([8 * line + 2, 8 * line + 4]);
    }
    x.dispose();
    y.dispose();
  });

  test('reduced axes stay with size 1 where asked', async () => {
    await expectTensor(sum(cube(), { axes: [0, 2], keepDims: true }), [1, 3, 1], [18, 26, 34]);
    await expectTensor(max(cube(), { keepDims: true }), [1, 1, 1], [12]);
  });

  test('extremes of negative and infinite values', async () => {
    const x = device.tensor([-3, -1, -2, -Infinity, -7, -5], [2, 3]);
    await expectTensor(max(x, { axes: 1 }), [2], [-1, -5]);
    await expectTensor(min(x, { axes: 1 }), [2], [-3, -Infinity]);
    await expectTensor(max(x, { axes: 0 }), [3], [-3, -1, -2]);
  });

  test('sums over nothing are zero, other empty results are empty', async () => {
    await expectTensor(sum(device.empty([2, 0])), [], [0]);
    await expectTensor(sum(device.empty([2, 0]), { axes: 1 }), [2], [0, 0]);
    await expectTensor(sum(device.empty([2, 0]), { axes: 0 }), [0], []);
    await expectTensor(max(device.empty([2, 0]), { axes: 0 }), [0], []);
    await expectTensor(sum(device.tensor([5], [])), [], [5]);
  });

  test('long sums keep their accuracy', async () => {
    const count = 1 << 20;
    const tenth = Math.fround(0.1);
    const x = device.tensor(new Float32Array(count).fill(tenth), [count / 4, 4]);
    await expectTensor(sum(x), [], [tenth * count], 'sum');
    await expectTensor(mean(x), [], [tenth], 'sum');
    const quarter = (tenth * count) / 4;
    await expectTensor(sum(x, { axes: 0 }), [4], [quarter, quarter, quarter, quarter], 'sum');
    x.dispose();
  });

  test('the first of equal elements is the largest', async () => {
    await expectTensor(argmax(device.tensor([1, 3, 3, 2, 2, 2, 0, -1, 0], [3, 3])), [3], [1, 0, 0]);
    await expectTensor(argmax(device.tensor([1, 3, 3, 2, 2, 4, 0, 3, 4], [3, 3]), 0), [3], [1, 0, 1]);
    await expectTensor(argmax(device.tensor(new Float32Array(37))), [], [0]);
    const infinite = device.tensor(new Float32Array(9).fill(-Infinity), [1, 9]);
    await expectTensor(argmax(infinite), [1], [0]);
    const late = new Float32Array(150).fill(-1);
    late[97] = late[98] = late[149] = 2;
    const y = argmax(device.tensor(late, [1, 150]));
    expect(y.dtype).toBe('i32');
    await expectTensor(y, [1], [97]);
  });

  test('ties in every position of a vector', async () => {
    for (let length = 1; length <= 19; length++) {
      for (let first = 0; first < length; first++) {
        const x = Float32Array.from({ length }, (_, i) => (i < first ? -1 : 1));
        await expectTensor(argmax(device.tensor(x, [1, length])), [1], [first]);
        await expectTensor(argmax(device.tensor(x, [length, 1]), 0), [1], [first]);
      }
    }
  });

  test('softmax', async () => {
    const x = device.tensor([0, Math.log(3), 0, 0], [2, 2]);
    await expectTensor(softmax(x), [2, 2], [0.25, 0.75, 0.5, 0.5], 'function');
    await expectTensor(softmax(x, 0), [2, 2], [0.5, 0.75, 0.5, 0.25], 'function');
    await expectTensor(softmax(device.tensor([5, -5], [2, 1])), [2, 1], [1, 1]);
    await expectTensor(softmax(device.empty([0, 3])), [0, 3], []);
    await expectTensor(softmax(device.empty([3, 0])), [3, 0], []);
  });

  test('softmax of large and of masked values', async () => {
    await expectTensor(softmax(device.tensor([1e30, 1e30, -1e30])), [3], [0.5, 0.5, 0]);
    await expectTensor(softmax(device.tensor([-Infinity, 2, 2, -Infinity])), [4], [0, 0.5, 0.5, 0]);
    const e = Math.exp(-1);
    await expectTensor(softmax(device.tensor([1000, 999])), [2], [1 / (1 + e), e / (1 + e)], 'function');
  });

  test('softmax over a long row sums to one', async () => {
    const x = device.tensor(
      Float32Array.from({ length: 3 * 1001 }, (_, i) => Math.sin(i) * 3),
      [3, 1001],
    );
    const y = await hostTensor(sum(softmax(x), { axes: 1 }));
    expectClose(y, { shape: [3], data: [1, 1, 1] }, tolerance('sum', precisionOf(device)));
  });
});
