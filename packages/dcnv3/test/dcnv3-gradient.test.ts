import fc from 'fast-check';
import { afterAll, describe, expect, test, vi } from 'vitest';
import {
  DTypeError,
  ShapeError,
  createDevice,
  record,
  scope,
  sizeOf,
  type Device,
  type Shape,
  type Tensor,
} from '@ii/tensor';
import {
  expectClose,
  hostTensor,
  loadGolden,
  onEveryDevice,
  precisionOf,
  randomNumbers,
  tolerance,
  type HostTensor,
} from '@ii/tensor/testing';
import { dcnv3 } from '../src/dcnv3.js';
import { dcnv3Gradients } from '../src/dcnv3-gradient.js';
import { grid, pointCount } from '../src/geometry.js';
import { shareOut } from '../src/wasm/gradient.js';
import { anyCase, draw, floats, goldenOptions, oneChannel, type Drawn, type Inputs, type Options } from './support.js';

const golden = await loadGolden(new URL('./fixtures/golden/dcnv3_core.json', import.meta.url));
const oracle = await createDevice('reference');

type Floats = Float32Array | Float64Array;
interface GradientInputs {
  readonly x: HostTensor<Floats>;
  readonly offset: HostTensor<Floats>;
  readonly mask: HostTensor<Floats>;
  readonly centerScale?: HostTensor<Floats>;
  readonly gy: HostTensor<Floats>;
}

interface Results {
  readonly x: HostTensor<Float64Array>;
  readonly offset: HostTensor<Float64Array>;
  readonly mask: HostTensor<Float64Array>;
  readonly centerScale?: HostTensor<Float64Array>;
}

/** Runs the gradient over host tensors and reads the results; nothing stays behind. */
async function run(
  device: Device,
  inputs: GradientInputs,
  options: Options & { readonly deterministic?: boolean },
): Promise<Results> {
  const made = scope(() => {
    const upload = ({ data, shape }: HostTensor<Floats>): Tensor => device.tensor(data, shape);
    const centerScale = inputs.centerScale && upload(inputs.centerScale);
    const tensors = [upload(inputs.x), upload(inputs.offset), upload(inputs.mask), upload(inputs.gy)] as const;
    const { x, offset, mask, centerScale: centre } = dcnv3Gradients(...tensors, { ...options, centerScale });
    return centre ? [x, offset, mask, centre] : [x, offset, mask];
  });
  const [x, offset, mask, centerScale] = await Promise.all(made.map(hostTensor));
  for (const tensor of made) tensor.dispose();
  return { x: x!, offset: offset!, mask: mask!, ...(centerScale && { centerScale }) };
}

const like = ({ shape }: HostTensor, seed: number, low = -1, high = 1): HostTensor<Float32Array> => ({
  shape,
  data: randomNumbers(sizeOf(shape), { seed, low, high }),
});

/** Random gradients of the result of the operator. */
function resultGradient({ x, offset }: Inputs, seed: number): HostTensor<Float32Array> {
  return like({ shape: [...offset.shape.slice(0, 3), x.shape[3]!], data: [] }, seed);
}

/** One output pixel at (x, y) of a one-channel map: its gradients for a mask of 1 and gy of 1. */
async function onePoint(
  device: Device,
  size: readonly [number, number],
  values: readonly number[],
  x: number,
  y: number,
): Promise<{ readonly x: number[]; readonly offset: number[]; readonly mask: number }> {
  const inputs = oneChannel(...size, values, 1);
  inputs.mask.data[0] = 1;
  inputs.offset.data.set([x, y]);
  const gy = { shape: inputs.x.shape, data: new Float32Array(sizeOf(inputs.x.shape)) };
  gy.data[0] = 1;
  const result = await run(device, { ...inputs, gy }, { groups: 1, kernelSize: 1, padding: 0 });
  return {
    x: [...result.x.data],
    offset: [...result.offset.data.subarray(0, 2)].map((v) => v + 0),
    mask: result.mask.data[0]!,
  };
}

await onEveryDevice({ describe, test, afterAll }, (device) => {
  const bound = tolerance('sum', precisionOf(device));
  const modes = device.name === 'webgpu' ? [false, true] : [false];

  for (const c of golden.cases) {
    test(`PyTorch ${c.id}`, async () => {
      const inputs = { x: floats(c, 'x'), offset: floats(c, 'offset'), mask: floats(c, 'mask'), gy: floats(c, 'gy') };
      for (const deterministic of modes) {
        const actual = await run(device, inputs, { ...goldenOptions(c), deterministic });
        expectClose(actual.x, c.tensor('gx'), bound, 'gx');
        expectClose(actual.offset, c.tensor('goffset'), bound, 'goffset');
        expectClose(actual.mask, c.tensor('gmask'), bound, 'gmask');
      }
    });
  }

  test('at whole positions offsets have the right-sided derivative', async () => {
    const values = [1, 2, 4, 8, 16, 32, 64, 128, 256];
    // x + 1 minus x, y + 1 minus y; beyond the last pixel there are zeros.
    expect((await onePoint(device, [3, 3], values, 1, 1)).offset).toEqual([32 - 16, 128 - 16]);
    expect((await onePoint(device, [3, 3], values, 2, 1)).offset).toEqual([-32, 256 - 32]);
    expect((await onePoint(device, [3, 3], values, 0, 2)).offset).toEqual([128 - 64, -64]);
    expect((await onePoint(device, [3, 3], values, 1.5, 1)).offset).toEqual([32 - 16, 192 - 24]);
    expect((await onePoint(device, [3, 3], values, -0.5, 1)).offset).toEqual([8, 32 - 4]);
    expect((await onePoint(device, [1, 1], [8], 0, 0)).offset).toEqual([-8, -8]);
    expect((await onePoint(device, [1, 1], [8], -0.5, 0.25)).offset).toEqual([6, -4]);
    expect((await onePoint(device, [1, 3], [1, 2, 4], 1, 0)).offset).toEqual([2, -2]);
  });

  test('a point at exactly −1, at the size of the map or further has no gradient', async () => {
    const values = [1, 2, 4, 8, 16, 32, 64, 128, 256];
    for (const outside of [-1, 3, -1.5, 3.5, -1e9, 1e9, -3e38, 3e38]) {
      for (const [x, y] of [
        [outside, 1],
        [1, outside],
        [outside, outside],
      ] as const) {
        const result = await onePoint(device, [3, 3], values, x, y);
        expect(result).toEqual({ x: Array<number>(9).fill(0), offset: [0, 0], mask: 0 });
      }
    }
    const inside = await onePoint(device, [3, 3], values, -0.75, 2.75);
    expect(inside.mask).toBe(64 / 16);
    expect(inside.offset).toEqual([64 / 4, -64 / 4]);
    expect(inside.x).toEqual([0, 0, 0, 0, 0, 0, 1 / 16, 0, 0]);
  });

  test('every point of a pixel adds to what it reads', async () => {
    // All points of all pixels read pixel (1, 1) of a 3×3 map.
    const inputs = oneChannel(3, 3, [1, 2, 3, 4, 5, 6, 7, 8, 9], 9);
    inputs.mask.data.fill(0.5);
    for (let row = 0; row < 3; row++) {
      for (let column = 0; column < 3; column++) {
        for (let point = 0; point < 9; point++) {
          const [gridX, gridY] = [Math.floor(point / 3) - 1, (point % 3) - 1];
          inputs.offset.data.set([1 - column - gridX, 1 - row - gridY], ((row * 3 + column) * 9 + point) * 2);
        }
      }
    }
    const gy = { shape: inputs.x.shape, data: Float32Array.of(1, 2, 4, 8, 16, 32, 64, 128, 256) };
    const { x, mask } = await run(device, { ...inputs, gy }, { groups: 1 });
    expect([...x.data]).toEqual([0, 0, 0, 0, 511 * 9 * 0.5, 0, 0, 0, 0]);
    expect([...mask.data.subarray(9 * 8)]).toEqual(Array(9).fill(256 * 5));
  });

  test('a centre scale of 1 leaves the samples nothing', async () => {
    const inputs = oneChannel(2, 2, [1, 2, 3, 4], 9);
    inputs.mask.data.fill(0.25);
    const centerScale = { shape: [1, 2, 2, 1], data: Float32Array.of(1, 1, 0, 0.5) };
    const gy = { shape: inputs.x.shape, data: Float32Array.of(1, 1, 1, 1) };
    const gradients = await run(device, { ...inputs, centerScale, gy }, { groups: 1 });
    expect([...gradients.mask.data.subarray(0, 18)].every((v) => v === 0)).toBe(true);
    // Every pixel's window holds the whole map: its sampled value is a quarter of 10.
    expect([...gradients.centerScale!.data]).toEqual([1 - 2.5, 2 - 2.5, 3 - 2.5, 4 - 2.5]);
    expect([...gradients.x.data]).toEqual([1 + 0.375, 1 + 0.375, 0.375, 0.5 + 0.375]);
  });

  test('locations keep their accuracy far from the origin', async () => {
    const width = 4096;
    const inputs = oneChannel(1, width, Array<number>(width).fill(1), 1);
    inputs.mask.data.fill(1);
    inputs.offset.data[2 * (width - 2)] = 2e-5;
    const gy = { shape: inputs.x.shape, data: new Float32Array(width) };
    gy.data[width - 2] = 1;
    const { x } = await run(device, { ...inputs, gy }, { groups: 1, kernelSize: 1, padding: 0 });
    expect(Math.abs(x.data[width - 1]! - 2e-5)).toBeLessThan(1e-11);
    expect(x.data[width - 2]).toBeCloseTo(1 - 2e-5, 7);
  });

  test('thousands of points on one pixel', async () => {
    const side = 16;
    const pixels = side * side;
    const inputs = oneChannel(side, side, Array<number>(pixels).fill(1), 9);
    inputs.mask.data.fill(1);
    for (let i = 0; i < pixels * 9; i++) {
      const [row, column, point] = [Math.floor(i / 9 / side), Math.floor(i / 9) % side, i % 9];
      inputs.offset.data.set([3 - column - (Math.floor(point / 3) - 1), 5 - row - ((point % 3) - 1)], 2 * i);
    }
    // Just below a power of two, where a sum of integers has the least room.
    const value = 2 ** 40 * (1 - 2 ** -24);
    const gy = { shape: inputs.x.shape, data: new Float32Array(pixels).fill(value) };
    const expected = pixels * 9 * value;
    for (const deterministic of modes) {
      const { x } = await run(device, { ...inputs, gy }, { groups: 1, deterministic });
      const others = x.data.filter((_, i) => i !== 5 * side + 3);
      expect(others.every((v) => v === 0)).toBe(true);
      const got = x.data[5 * side + 3]!;
      if (deterministic) expect(got).toBe(Math.fround(expected));
      else expect(Math.abs(got / expected - 1)).toBeLessThan(1e-5);
    }
  });

  test('neighbouring groups do not mix, whatever they hold', async () => {
    const made = draw({ ...plain, groups: 3, groupChannels: 5, height: 4, width: 3 })!;
    const second = (i: number, perPixel: number): boolean => Math.floor(((i % perPixel) * 3) / perPixel) === 1;
    for (const bad of [NaN, Infinity]) {
      const gy = resultGradient(made.inputs, 9);
      for (let i = 0; i < gy.data.length; i++) if (second(i, 15)) gy.data[i] = bad;
      for (const deterministic of modes) {
        const { x, mask } = await run(device, { ...made.inputs, gy }, { ...made.options, deterministic });
        expect(x.data.some((v, i) => second(i, 15) && !Number.isFinite(v))).toBe(true);
        x.data.forEach((v, i) => second(i, 15) || expect(v).toBeLessThan(100));
        mask.data.forEach((v, i) => expect(Number.isFinite(v)).toBe(!second(i, 27)));
      }
    }
  });

  test('equal bits in every run', async () => {
    const { inputs, options } = draw({
      ...plain,
      n: 1,
      height: 17,
      width: 23,
      groups: 5,
      groupChannels: 16,
      reach: 2,
    })!;
    const gy = resultGradient(inputs, 5);
    const once = async (): Promise<string> => {
      const { x, offset, mask } = await run(device, { ...inputs, gy }, { ...options, deterministic: true });
      return [x, offset, mask].map(({ data }) => Buffer.from(data.buffer).toString('base64')).join();
    };
    const first = await once();
    for (let i = 0; i < 4; i++) expect(await once()).toBe(first);
  });

  test('refuses what does not fit, in words', () => {
    scope(() => {
      const zeros = (shape: Shape): Tensor => device.tensor(new Float32Array(sizeOf(shape)), shape);
      const x = zeros([1, 4, 4, 6]);
      const offset = zeros([1, 4, 4, 36]);
      const mask = zeros([1, 4, 4, 18]);
      expect(() => dcnv3Gradients(x, offset, mask, zeros([1, 4, 4, 5]), { groups: 2 })).toThrow(
        'dcnv3Gradients gy: expected shape [1, 4, 4, 6], got [1, 4, 4, 5]',
      );
      expect(() => dcnv3Gradients(x, offset, mask, x, { groups: 4 })).toThrow(ShapeError);
      expect(() => dcnv3Gradients(x, offset, offset, x, { groups: 2 })).toThrow('dcnv3Gradients mask: expected shape');
      const integers = device.tensor(new Int32Array(96), [1, 4, 4, 6]);
      expect(() => dcnv3Gradients(x, offset, mask, integers, { groups: 2 })).toThrow(DTypeError);
    });
  });

  if (device.name !== 'reference') {
    test('any geometry, with and without softmax and centre scale, as the reference', async () => {
      await fc.assert(
        fc.asyncProperty(anyCase, async (drawn) => expectAsReference(device, drawn, modes)),
        // On a GPU each geometry has shaders of its own, which take their time to compile.
        { seed: 20233, numRuns: device.name === 'webgpu' ? 30 : 150 },
      );
    });

    test('maps that are worth sharing out', async () => {
      for (const [n, groups, groupChannels] of [
        [2, 4, 16],
        [1, 1, 32],
        [1, 3, 20],
      ] as const) {
        const size = { ...plain, n, groups, groupChannels, height: 24, width: 18, reach: 3, center: n === 1 };
        await expectAsReference(device, size, modes);
      }
    });
  } else {
    test('finite differences, away from the kinks', async () => {
      let cases = 0;
      await fc.assert(
        fc.asyncProperty(anyCase, fc.integer(), async (drawn, seed) => {
          if (await expectFiniteDifferences({ ...drawn, groupChannels: 2 }, seed)) cases++;
        }),
        { seed: 20234, numRuns: 60 },
      );
      expect(cases).toBeGreaterThan(40);
    });
  }
});

test('a device that was asked for equal bits passes it on to the backward pass', async () => {
  for (const deterministic of [true, false]) {
    using device = await createDevice('reference', { deterministic });
    const enqueue = vi.spyOn(device, 'enqueue');
    const zeros = (...shape: number[]): Tensor => device.tensor(new Float32Array(sizeOf(shape)), shape);
    const [x, offset, mask] = [zeros(1, 2, 2, 2), zeros(1, 2, 2, 36), zeros(1, 2, 2, 18)];
    const { value, backward } = record(() => dcnv3(x, offset, mask, { groups: 2 }), [x, offset, mask]);
    expect(backward(value, x).map((gradient) => gradient?.shape)).toEqual([x.shape, offset.shape, mask.shape]);
    const [, call] = enqueue.mock.calls.find(([{ name }]) => name === 'dcnv3Gradient')!;
    expect(call.params).toMatchObject({ deterministic, groups: 2 });
  }
});

describe('sharing out', () => {
  const threads = (count: number) => ({ threads: count, tileRows: 5, tileColumns: 8 });

  test('groups first: no copies where they keep all threads busy', () => {
    expect(shareOut(1, 4, 128, threads(1))).toEqual({ groupsPerChunk: 4, shares: 1 });
    expect(shareOut(1, 4, 128, threads(2))).toEqual({ groupsPerChunk: 2, shares: 1 });
    expect(shareOut(2, 4, 128, threads(2))).toEqual({ groupsPerChunk: 4, shares: 1 });
    expect(shareOut(2, 4, 128, threads(8))).toEqual({ groupsPerChunk: 1, shares: 1 });
  });

  test('rows as well where groups do not suffice, and never more than four shares', () => {
    expect(shareOut(1, 1, 128, threads(2))).toEqual({ groupsPerChunk: 1, shares: 2 });
    expect(shareOut(1, 5, 128, threads(2))).toEqual({ groupsPerChunk: 5, shares: 2 });
    expect(shareOut(1, 4, 128, threads(8))).toEqual({ groupsPerChunk: 1, shares: 2 });
    expect(shareOut(1, 1, 128, threads(64)).shares).toBe(4);
    expect(shareOut(1, 1, 1, threads(64)).shares).toBe(1);
  });
});

const plain: Drawn = {
  ...{ n: 1, height: 5, width: 6, groups: 2, groupChannels: 4, kernel: [3, 3], stride: [1, 1], padding: [1, 1] },
  ...{ dilation: [1, 1], offsetScale: 1, softmax: true, center: false, reach: 1, step: 2 ** -12 },
};

async function expectAsReference(device: Device, drawn: Drawn, modes: readonly boolean[]): Promise<void> {
  const made = draw(drawn);
  if (!made) return;
  const { options } = made;
  const inputs: GradientInputs = { ...made.inputs, gy: resultGradient(made.inputs, 7) };
  // Terms of both signs may cancel: rounding errors are measured against the sums of their magnitudes.
  const absolute = ({ shape, data }: HostTensor<Floats>): HostTensor<Floats> => ({ shape, data: data.map(Math.abs) });
  const magnitudes = { ...inputs, x: absolute(inputs.x), gy: absolute(inputs.gy) };
  const largest = ({ data }: HostTensor<Float64Array>): number => data.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const sums = await run(oracle, magnitudes, { ...options, softmax: false });
  const { centerScale: _, ...uncentred } = magnitudes;
  const received = Math.max(
    largest((await run(oracle, magnitudes, options)).x),
    largest((await run(oracle, uncentred, options)).x),
  );
  // A group's products of x and gy: at most all of its channels.
  const products = Math.max(largest(sums.mask), drawn.groupChannels / 4);
  const expected = await run(oracle, inputs, options);
  const bound = tolerance('sum', 'f32');
  for (const deterministic of modes) {
    const actual = await run(device, inputs, { ...options, deterministic });
    expectClose(actual.x, expected.x, { ...bound, magnitude: received }, 'gx');
    const scale = Math.max(1, drawn.offsetScale);
    expectClose(actual.offset, expected.offset, { ...bound, magnitude: products * scale }, 'goffset');
    expectClose(actual.mask, expected.mask, { ...bound, magnitude: products }, 'gmask');
    if (expected.centerScale) {
      expectClose(actual.centerScale!, expected.centerScale, { ...bound, magnitude: products }, 'gcenterScale');
    }
  }
}

/** Whether there was something to compare. */
async function expectFiniteDifferences(drawn: Drawn, seed: number): Promise<boolean> {
  const made = draw(drawn);
  if (!made) return false;
  const { inputs, options } = made;
  const { offsetScale, kernel } = drawn;
  const geometry = { ...drawn, kernelSize: kernel };
  // Every location at least a tenth of a pixel from a kink.
  const fractions = randomNumbers(inputs.offset.data.length, { seed, low: 0.1, high: 0.9 });
  const offset = Float64Array.from(inputs.offset.data, (v, i) => {
    const [gridY, gridX] = grid(geometry, (i >> 1) % pointCount(geometry));
    const at = i % 2 === 0 ? gridX : gridY;
    return (Math.round((at + v) * offsetScale) + fractions[i]!) / offsetScale - at;
  });
  const gy = resultGradient(inputs, seed + 1);
  const values = { ...inputs, offset: { shape: inputs.offset.shape, data: offset }, gy };
  const gradients = await run(oracle, values, options);

  const loss = async (changed: GradientInputs): Promise<number> => {
    const y = scope(() => {
      const upload = ({ data, shape }: HostTensor<Floats>): Tensor => oracle.tensor(data, shape);
      const centerScale = changed.centerScale && upload(changed.centerScale);
      return dcnv3(upload(changed.x), upload(changed.offset), upload(changed.mask), { ...options, centerScale });
    });
    const data = await y.readFloat64();
    y.dispose();
    return data.reduce((sum, v, i) => sum + v * gy.data[i]!, 0);
  };
  const step = 1e-4;
  for (const name of ['x', 'offset', 'mask', 'centerScale'] as const) {
    const input = values[name];
    if (!input) continue;
    for (let k = 0; k < 4; k++) {
      const at = (Math.abs(seed % 7919) * (k + 1) * 31) % input.data.length;
      const moved = (by: number): GradientInputs => {
        const data = Float64Array.from(input.data);
        data[at]! += by;
        return { ...values, [name]: { shape: input.shape, data } };
      };
      const difference = ((await loss(moved(step))) - (await loss(moved(-step)))) / (2 * step);
      expect(Math.abs(gradients[name]!.data[at]! - difference), `${name}[${at}]`).toBeLessThan(1e-6);
    }
  }
  return true;
}
