import { expect, test } from 'vitest';
import {
  abs,
  add,
  addScaled,
  div,
  equal,
  exp,
  gelu,
  greater,
  log,
  maximum,
  minimum,
  mul,
  neg,
  relu,
  sigmoid,
  silu,
  sqrt,
  sub,
} from '../src/ops/index.js';
import { expectTensor, forEveryDevice } from './support.js';

await forEveryDevice((device) => {
  test('silu', async () => {
    const y = silu(device.tensor([-10, -1, -0.5, 0, 0.5, 1, 3]));
    const expected = [
      -0.00045397868702434395, -0.2689414213699951, -0.18877033439907273, 0, 0.3112296656009273, 0.7310585786300049,
      2.8577223804672998,
    ];
    await expectTensor(y, [7], expected, 'function');
  });

  test('gelu is the erf form', async () => {
    const y = gelu(device.tensor([-5, -1, -0.5, 0, 0.5, 1, 3]));
    const expected = [
      -1.4332578593959695e-6, -0.15865525393145705, -0.15426876936299344, 0, 0.34573123063700656, 0.8413447460685429,
      2.99595030590511,
    ];
    await expectTensor(y, [7], expected, 'function');
  });

  test('activations settle for inputs of any size', async () => {
    const x = device.tensor([-1e30, -1e4, -120, 120, 1e4, 1e30]);
    const large = [120, 1e4, Math.fround(1e30)];
    // What is left of the negative tail is nothing to f32, but need not be exactly 0.
    const settled = (v: number): number => (Math.abs(v) < 1e-30 ? 0 : v);
    for (const f of [gelu, silu, relu])
      expect([...(await f(x).readFloat32())].map(settled)).toEqual([0, 0, 0, ...large]);
    expect([...(await sigmoid(x).readFloat32())].map(settled)).toEqual([0, 0, 0, 1, 1, 1]);
    x.dispose();
  });

  test('exp over its whole range', async () => {
    await expectTensor(
      exp(device.tensor([0, 1, -1, 0.5])),
      [4],
      [1, Math.E, 1 / Math.E, Math.sqrt(Math.E)],
      'function',
    );
    // One at a time: a tolerance is relative to the largest element.
    for (const x of [-80, -20.25, 3, 20.25, 80, 88]) {
      await expectTensor(exp(device.tensor([x])), [1], [Math.exp(x)], 'function');
    }
    const ends = await exp(device.tensor([-Infinity, -200, 100, Infinity, NaN])).readFloat32();
    expect([...ends]).toEqual([0, 0, Infinity, Infinity, NaN]);
  });

  test('log over its whole range', async () => {
    for (const x of [1e-30, 0.0625, 0.9, 1.1, 2, 10, 1e30]) {
      await expectTensor(log(device.tensor([x])), [1], [Math.log(Math.fround(x))], 'function');
    }
    expect([...(await log(device.tensor([0, 1, -1, Infinity, NaN])).readFloat32())]).toEqual([
      -Infinity,
      0,
      NaN,
      Infinity,
      NaN,
    ]);
  });

  test('sqrt, abs, neg, relu', async () => {
    await expectTensor(sqrt(device.tensor([0, 1, 2, 9, 1e-20])), [5], [0, 1, Math.SQRT2, 3, 1e-10], 'arithmetic');
    expect([...(await sqrt(device.tensor([-1, Infinity])).readFloat32())]).toEqual([NaN, Infinity]);
    await expectTensor(abs(device.tensor([-1.5, 0, 2, -Infinity])), [4], [1.5, 0, 2, Infinity]);
    await expectTensor(neg(device.tensor([-1.5, 0, 2, Infinity])), [4], [1.5, 0, -2, -Infinity]);
    await expectTensor(relu(device.tensor([-1.5, 0, 2, -Infinity, Infinity])), [5], [0, 0, 2, 0, Infinity]);
  });

  test('arithmetic broadcasts as NumPy does', async () => {
    const matrix = device.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
    const row = device.tensor([10, 20, 30]);
    const column = device.tensor([100, 200], [2, 1]);
    await expectTensor(add(matrix, row), [2, 3], [11, 22, 33, 14, 25, 36]);
    await expectTensor(sub(matrix, column), [2, 3], [-99, -98, -97, -196, -195, -194]);
    await expectTensor(sub(column, matrix), [2, 3], [99, 98, 97, 196, 195, 194]);
    await expectTensor(mul(column, row), [2, 3], [1000, 2000, 3000, 2000, 4000, 6000]);
    await expectTensor(div(matrix, device.tensor([2], [1, 1, 1])), [1, 2, 3], [0.5, 1, 1.5, 2, 2.5, 3]);
    await expectTensor(add(matrix, matrix), [2, 3], [2, 4, 6, 8, 10, 12]);
  });

  test('images take one value per channel, per pixel or per image', async () => {
    const x = device.tensor([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 1, 2]);
    await expectTensor(mul(x, device.tensor([1, 10])), [2, 2, 1, 2], [1, 20, 3, 40, 5, 60, 7, 80]);
    await expectTensor(mul(x, device.tensor([1, 10], [2, 1, 1])), [2, 2, 1, 2], [1, 2, 30, 40, 5, 6, 70, 80]);
    await expectTensor(mul(x, device.tensor([1, 10], [2, 1, 1, 1])), [2, 2, 1, 2], [1, 2, 3, 4, 50, 60, 70, 80]);
    const gates = device.tensor([1, 2, 3, 4], [2, 1, 1, 2]);
    await expectTensor(mul(x, gates), [2, 2, 1, 2], [1, 4, 3, 8, 15, 24, 21, 32]);
  });

  test('numbers, scalars and empty tensors take part', async () => {
    const x = device.tensor([1, 2, 4]);
    await expectTensor(add(x, 0.5), [3], [1.5, 2.5, 4.5]);
    await expectTensor(div(x, 4), [3], [0.25, 0.5, 1]);
    const scalar = device.tensor([3], []);
    await expectTensor(sub(scalar, x), [3], [2, 1, -1]);
    await expectTensor(mul(scalar, scalar), [], [9]);
    await expectTensor(add(device.tensor([], [0, 3]), x), [0, 3], []);
    await expectTensor(add(device.tensor([], [2, 0]), device.tensor([1, 2], [2, 1])), [2, 0], []);
  });

  test('division gives what IEEE 754 says', async () => {
    const y = div(device.tensor([1, -1, 0, 1, 1]), device.tensor([0, 0, 0, Infinity, 3]));
    expect([...(await y.readFloat32())]).toEqual([Infinity, -Infinity, NaN, 0, Math.fround(1 / 3)]);
  });

  test('maximum and minimum hand NaN on', async () => {
    const a = device.tensor([1, NaN, 5, -Infinity, NaN]);
    const b = device.tensor([2, 2, NaN, 0, NaN]);
    await expectTensor(maximum(a, b), [5], [2, NaN, NaN, 0, NaN]);
    await expectTensor(minimum(a, b), [5], [1, NaN, NaN, -Infinity, NaN]);
    await expectTensor(maximum(device.tensor([-1, 3]), 0), [2], [0, 3]);
  });

  test('comparisons are 1 or 0, and 0 for NaN', async () => {
    const a = device.tensor([1, NaN, 5, -Infinity, 0, Infinity, 7]);
    const b = device.tensor([2, 2, NaN, 0, -0, Infinity, 6.5]);
    await expectTensor(greater(a, b), [7], [0, 0, 0, 0, 0, 0, 1]);
    await expectTensor(greater(b, a), [7], [1, 0, 0, 1, 0, 0, 0]);
    await expectTensor(equal(a, b), [7], [0, 0, 0, 0, 1, 1, 0]);
    await expectTensor(equal(device.tensor([1, 2, 3, 2], [2, 2]), device.tensor([1, 2])), [2, 2], [1, 1, 0, 1]);
    await expectTensor(greater(device.tensor([-1, 0, 3]), 0), [3], [0, 0, 1]);
  });

  test('addScaled is x + scale · y per channel', async () => {
    const x = device.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
    const y = device.tensor([10, 10, 10, 20, 20, 20], [2, 3]);
    const z = addScaled(x, y, device.tensor([0, 1, -0.5]));
    await expectTensor(z, [2, 3], [1, 12, -2, 4, 25, -4]);
    await expectTensor(addScaled(x, x, device.tensor([1, 1, 1])), [2, 3], [2, 4, 6, 8, 10, 12]);
    await expectTensor(
      addScaled(device.tensor([], [0, 2]), device.tensor([], [0, 2]), device.tensor([1, 1])),
      [0, 2],
      [],
    );
  });
});
