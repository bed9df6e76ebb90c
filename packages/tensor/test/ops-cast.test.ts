import { expect, test } from 'vitest';
import type { DType } from '../src/dtype.js';
import { halfToFloat } from '../src/half.js';
import { cast } from '../src/ops/index.js';
import { expectTensor, forEveryDevice } from './support.js';

await forEveryDevice((device) => {
  const bitsOf = async (values: readonly number[]): Promise<number[]> => [
    ...(await cast(device.tensor(values), 'f16').read()),
  ];

  test('floats become integers by truncation, within the range, and NaN becomes 0', async () => {
    const x = device.tensor([-1, -0.5, 0.9, 1.5, 254.99, 255.7, 256, 1e10, NaN, Infinity, -Infinity]);
    await expectTensor(cast(x, 'u8'), [11], [0, 0, 0, 1, 254, 255, 255, 255, 0, 255, 0]);
    const y = device.tensor([-1.9, 1.9, 3e9, -3e9, 2 ** 24 + 2, NaN, Infinity, -Infinity, -0.5]);
    const low = -(2 ** 31);
    const high = 2 ** 31 - 1;
    await expectTensor(cast(y, 'i32'), [9], [-1, 1, high, low, 2 ** 24 + 2, 0, high, low, 0]);
  });

  test('integers convert among each other and to f32', async () => {
    const i = device.tensor(Int32Array.of(-5, 0, 7, 255, 300, 2 ** 24));
    await expectTensor(cast(i, 'u8'), [6], [0, 0, 7, 255, 255, 255]);
    await expectTensor(cast(i, 'f32'), [6], [-5, 0, 7, 255, 300, 2 ** 24]);
    const u = device.tensor(Uint8Array.of(0, 1, 128, 255), [2, 2]);
    await expectTensor(cast(u, 'i32'), [2, 2], [0, 1, 128, 255]);
    await expectTensor(cast(u, 'f32'), [2, 2], [0, 1, 128, 255]);
    await expectTensor(cast(u, 'f16'), [2, 2], [0, 1, 128, 255]);
  });

  test('f16 rounds to nearest, ties to even', async () => {
    const ulp = 2 ** -10;
    expect(await bitsOf([1, 1 + ulp, 1 + ulp / 2, 1 + (3 * ulp) / 2, 1 + ulp / 2 + 2 ** -20, -2])).toEqual([
      0x3c00, 0x3c01, 0x3c00, 0x3c02, 0x3c01, 0xc000,
    ]);
  });

  test('f16 overflows to infinity and underflows through the subnormals', async () => {
    expect(await bitsOf([65504, 65519, 65520, -1e6, Infinity])).toEqual([0x7bff, 0x7bff, 0x7c00, 0xfc00, 0x7c00]);
    expect(
      await bitsOf([2 ** -14, 2 ** -14 - 2 ** -24, 2 ** -24, 2 ** -25, 2 ** -25 + 2 ** -40, 2 ** -26, -0]),
    ).toEqual([0x0400, 0x03ff, 0x0001, 0x0000, 0x0001, 0x0000, 0x8000]);
    const [nan] = await bitsOf([NaN]);
    expect(nan! & 0x7fff).toBeGreaterThan(0x7c00);
  });

  test('every half survives the way to f32 and back', async () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const wide = cast(device.tensor(bits), 'f32');
    const values = await wide.readFloat32();
    expect(values.every((v, i) => Object.is(v, halfToFloat(i)))).toBe(true);
    const back = await cast(wide, 'f16').read();
    const isNaNBits = (v: number): boolean => (v & 0x7fff) > 0x7c00;
    expect(back.every((v, i) => v === i || (isNaNBits(i) && isNaNBits(v)))).toBe(true);
  });

  test('a cast to the same dtype, and of nothing', async () => {
    await expectTensor(cast(device.tensor([1.5, -2]), 'f32'), [2], [1.5, -2]);
    await expectTensor(cast(device.tensor(Uint8Array.of(3)), 'u8'), [1], [3]);
    for (const dtype of ['f32', 'f16', 'i32', 'u8'] satisfies DType[]) {
      await expectTensor(cast(device.tensor([], [0, 2]), dtype), [0, 2], []);
    }
  });
});
