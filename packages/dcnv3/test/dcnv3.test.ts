import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { DTypeError, ShapeError, createDevice, scope, sizeOf, type Device, type Shape, type Tensor } from '@ii/tensor';
import {
  expectClose,
  hostTensor,
  loadGolden,
  onEveryDevice,
  precisionOf,
  tolerance,
  type HostTensor,
} from '@ii/tensor/testing';
import { dcnv3 } from '../src/dcnv3.js';
import { anyCase, draw, floats, goldenOptions, oneChannel, type Drawn, type Inputs, type Options } from './support.js';

const golden = await loadGolden(new URL('./fixtures/golden/dcnv3_core.json', import.meta.url));
const oracle = await createDevice('reference');

/** Runs the operator over host tensors and reads the result; nothing stays behind. */
async function run(device: Device, inputs: Inputs, options: Options): Promise<HostTensor<Float64Array>> {
  const y = scope(() => {
    const upload = ({ data, shape }: HostTensor<Float32Array>): Tensor => device.tensor(data, shape);
    const centerScale = inputs.centerScale && upload(inputs.centerScale);
    return dcnv3(upload(inputs.x), upload(inputs.offset), upload(inputs.mask), { ...options, centerScale });
  });
  const result = await hostTensor(y);
  y.dispose();
  return result;
}

await onEveryDevice({ describe, test, afterAll }, (device) => {
  // At most 100 products per element and weights of few roundings: within the bound for sums of products.
  const bound = tolerance('sum', precisionOf(device));

  for (const c of golden.cases) {
    test(`PyTorch ${c.id}`, async () => {
      const inputs = { x: floats(c, 'x'), offset: floats(c, 'offset'), mask: floats(c, 'mask') };
      const actual = await run(device, inputs, goldenOptions(c));
      expectClose(actual, c.tensor('y'), bound, c.id);
    });
  }

  test('points run down the columns of the kernel', async () => {
    const values = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const seen: number[] = [];
    for (let point = 0; point < 9; point++) {
      const inputs = oneChannel(3, 3, values, 9);
      inputs.mask.data[4 * 9 + point] = 1;
      seen.push((await run(device, inputs, { groups: 1 })).data[4]!);
    }
    expect(seen).toEqual([1, 4, 7, 2, 5, 8, 3, 6, 9]);
  });

  test('offsets are pairs of x and y, and the value is bilinear', async () => {
    const inputs = oneChannel(3, 3, [1, 2, 3, 4, 5, 6, 7, 8, 9], 1);
    inputs.mask.data.fill(2);
    inputs.offset.data.set([0.25, 0.5]);
    const { data } = await run(device, inputs, { groups: 1, kernelSize: 1, padding: 0 });
    expect(data[0]).toBe(2 * (1 + 0.25 + 3 * 0.5));
    expect([...data.subarray(1)]).toEqual([4, 6, 8, 10, 12, 14, 16, 18]);
  });

  test('the offset scale multiplies the grid too', async () => {
    const inputs = oneChannel(1, 7, [1, 2, 4, 8, 16, 32, 64], 3);
    inputs.mask.data.fill(1);
    inputs.offset.data.set([0, 0, 0, 0, 0.5, 0], 3 * 6);
    const options = { groups: 1, kernelSize: [1, 3], padding: [0, 1], offsetScale: 2 } as const;
    const { data } = await run(device, inputs, options);
    expect(data[3]).toBe(2 + 8 + 64);
    expect(data[1]).toBe(0 + 2 + 8);
  });

  test('a point at exactly −1 or at the size of the map adds nothing, a hair inside it does', async () => {
    const size = 4;
    const at = async (x: number, y: number): Promise<number> => {
      const inputs = oneChannel(size, size, Array<number>(size * size).fill(1), 1);
      inputs.mask.data.fill(1);
      inputs.offset.data.set([x, y]);
      return (await run(device, inputs, { groups: 1, kernelSize: 1, padding: 0 })).data[0]!;
    };
    for (const outside of [-1, size, -1.5, size + 0.5, -1e9, 1e9, -3e38, 3e38]) {
      expect(await at(outside, 0)).toBe(0);
      expect(await at(0, outside)).toBe(0);
      expect(await at(outside, outside)).toBe(0);
    }
    for (const [inside, value] of [
      [-0.75, 0.25],
      [size - 0.75, 0.75],
      [size - 1, 1],
      [0, 1],
      [-0.5, 0.5],
    ] as const) {
      expect(await at(inside, 0)).toBe(value);
      expect(await at(1, inside)).toBe(value);
      expect(await at(inside, inside)).toBe(value * value);
    }
  });

  test('padding is vertical before horizontal, as in the CUDA operator', async () => {
    const x = { shape: [1, 3, 5, 1], data: Float32Array.from({ length: 15 }, (_, i) => i + 1) };
    const output: Shape = [1, 5, 3];
    const inputs = {
      x,
      offset: { shape: [...output, 18], data: new Float32Array(sizeOf(output) * 18) },
      mask: { shape: [...output, 9], data: new Float32Array(sizeOf(output) * 9) },
    };
    for (let pixel = 0; pixel < 15; pixel++) inputs.mask.data[pixel * 9 + 4] = 1;
    const { data } = await run(device, inputs, { groups: 1, padding: [2, 0] });
    expect([...data]).toEqual([0, 0, 0, 2, 3, 4, 7, 8, 9, 12, 13, 14, 0, 0, 0]);
  });

  test('locations keep their accuracy far from the origin', async () => {
    const width = 4096;
    const inputs = oneChannel(
      1,
      width,
      Array.from({ length: width }, (_, i) => i % 2),
      1,
    );
    inputs.mask.data.fill(1);
    for (let i = 0; i < width; i++) inputs.offset.data[2 * i] = i % 2 ? 1e-5 : 2e-5;
    const { data } = await run(device, inputs, { groups: 1, kernelSize: 1, padding: 0 });
    expect(Math.abs(data[width - 2]! - 2e-5)).toBeLessThan(1e-11);
    expect(data[width - 3]).toBeCloseTo(1 - 1e-5, 7);
  });

  test('refuses what does not fit, in words', () => {
    scope(() => {
      const zeros = (shape: Shape): Tensor => device.tensor(new Float32Array(sizeOf(shape)), shape);
      const x = zeros([1, 4, 4, 6]);
      const offset = zeros([1, 4, 4, 36]);
      const mask = zeros([1, 4, 4, 18]);
      expect(() => dcnv3(x, offset, mask, { groups: 4 })).toThrow('6 channels do not split into 4 groups');
      expect(() => dcnv3(x, mask, mask, { groups: 2 })).toThrow(
        'offset: expected shape [1, 4, 4, 36], got [1, 4, 4, 18]',
      );
      expect(() => dcnv3(x, offset, mask, { groups: 2, stride: 2 })).toThrow('expected shape [1, 2, 2, 36]');
      expect(() => dcnv3(x, offset, mask, { groups: 2, dilation: 0 })).toThrow('dilation 0×0 is not valid');
      expect(() => dcnv3(x, offset, mask, { groups: 2, padding: 0, dilation: 3 })).toThrow('smaller than the kernel');
      expect(() => dcnv3(x, offset, mask, { groups: 2, offsetScale: NaN })).toThrow(ShapeError);
      const small = { groups: 2, padding: 0, centerScale: x };
      expect(() => dcnv3(x, zeros([1, 2, 2, 36]), zeros([1, 2, 2, 18]), small)).toThrow('as large as the input');
      const bytes = device.tensor(new Uint8Array(96), [1, 4, 4, 6]);
      expect(() => dcnv3(bytes, offset, mask, { groups: 2 })).toThrow(DTypeError);
    });
  });

  if (device.name !== 'reference') {
    test('any geometry, with and without softmax and centre scale, as the reference', async () => {
      await fc.assert(
        fc.asyncProperty(anyCase, async (drawn) => expectAsReference(device, drawn)),
        {
          seed: 20231,
          numRuns: 150,
        },
      );
    });

    test('a map that is worth sharing out', async () => {
      await expectAsReference(device, {
        ...{ n: 2, height: 40, width: 30, groups: 4, groupChannels: 16, kernel: [3, 3], stride: [1, 1] },
        ...{ padding: [1, 1], dilation: [1, 1], offsetScale: 1, softmax: true, center: true, reach: 3, step: 2 ** -12 },
      });
    });
  }
});

async function expectAsReference(device: Device, drawn: Drawn): Promise<void> {
  const made = draw(drawn);
  if (!made) return;
  const { inputs, options } = made;
  // Terms of both signs may cancel: rounding errors are measured against the sum of their magnitudes.
  const magnitudes = { ...inputs, x: { shape: inputs.x.shape, data: inputs.x.data.map(Math.abs) } };
  const largest = (await run(oracle, magnitudes, options)).data.reduce((a, b) => Math.max(a, b), 0);
  const actual = await run(device, inputs, options);
  const expected = await run(oracle, inputs, options);
  expectClose(actual, expected, { ...tolerance('interpolation', 'f32'), magnitude: largest });
}
