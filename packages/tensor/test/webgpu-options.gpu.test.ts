/** What a GPU device can be asked for: measured launch parameters, weights as halves, larger limits. */
import { expect, test } from 'vitest';
import { defineShader, linearGrid, read, write } from '../src/backends/webgpu/program.js';
import { linearBuiltins, linearInvocation, storage, uniformBlock } from '../src/backends/webgpu/wgsl.js';
import { createDevice } from '../src/create-device.js';
import type { Device } from '../src/device.js';
import { LimitExceededError } from '../src/errors.js';
import { defineKernel, type Slot } from '../src/kernel.js';
import { sizeClass, type TuningTable } from '../src/launches.js';
import { conv2d, conv2dPyramid, linear } from '../src/ops/index.js';
import { sizeOf } from '../src/shape.js';
import type { Tensor } from '../src/tensor.js';
import { expectClose, ownGpuDevice, roundedToHalf, tolerance } from '../src/testing/index.js';
import { gpuTest, openGpu } from './gpu-support.js';
import { compute, random } from './support.js';

/** The largest tensor that a device takes, in bytes, as it says itself. */
function largest(device: Device): number {
  try {
    device.empty([2 ** 30, 2 ** 3]);
  } catch (error) {
    expect(error).toBeInstanceOf(LimitExceededError);
    return (error as LimitExceededError).have;
  }
  throw new Error('32 GiB were not refused');
}

gpuTest('tensors may be as large as the adapter offers; a device of the default limits takes 128 MiB', async () => {
  const gpuDevice = await ownGpuDevice();
  const byDefault = await openGpu({ gpuDevice });
  expect(largest(byDefault)).toBe(2 ** 27);
  const raised = await openGpu();
  expect(largest(raised)).toBeGreaterThanOrEqual(2 ** 27);
  expect(() => raised.empty([largest(raised) / 4 + 1])).toThrow(`the device has ${largest(raised)};`);
  byDefault.dispose();
  gpuDevice.destroy();
});

const count = uniformBlock({ count: 'u32' });
const doubleShader = defineShader(
  'double',
  ({ invocations }: { readonly invocations: number }) => `${storage(
    ['read', 'x', 'array<f32>'],
    ['read_write', 'y', 'array<f32>'],
  )}
${count.wgsl}
@compute @workgroup_size(${invocations}) fn main(${linearBuiltins}) {
  let i = ${linearInvocation(invocations)};
  if (i < params.count) { y[i] = 2.0 * x[i]; }
}`,
);
const ways = [1, 16, 64].map((invocations) => ({ invocations }));

/** Launched by one invocation per workgroup unless something else was measured to be faster. */
const double = defineKernel<{ x: Slot }, { y: Slot }, object>('double', {
  webgpu: ({ x }, { y }, _, machine) => {
    const size = sizeOf(x.shape);
    const shapes = `double, ${sizeClass(size)}`;
    const way = machine.launches!.choose(shapes, ways, ways[0]!);
    return [
      {
        shader: doubleShader(way),
        bindings: [read(x), write(y)],
        uniforms: count.words({ count: size }),
        workgroups: linearGrid(Math.ceil(size / way.invocations), machine),
        launch: shapes,
      },
    ];
  },
});

gpuTest('tuning measures each way to launch a kernel; a new device takes the table', async () => {
  const device = await openGpu();
  // Enough for the fastest of GPUs to tell the ways apart.
  const x = device.tensor(Float32Array.from({ length: 1_000_000 }, (_, i) => i));
  const run = (on: Device, input: Tensor): Tensor => {
    const y = on.empty(input.shape);
    on.enqueue(double, { inputs: { x: input }, outputs: { y }, params: {} });
    return y;
  };
  let runs = 0;
  const table = await device.tune(() => {
    runs++;
    run(device, x).dispose();
  });
  expect(runs).toBe(ways.length * 4);
  const [entries] = Object.values(table);
  const { invocations } = entries!['double, 1048576']!;
  // A workgroup for each element is far slower on any GPU. Through OpenGL there are no timestamps, and work is reported as
  // done before it is: all ways take the same time.
  const sensible = device.selection.includes('OpenGL') ? [1, 16, 64] : [16, 64];
  expect(sensible).toContain(invocations);
  expect((await run(device, x).readFloat32())[999_999]).toBe(1_999_998);

  const next = await openGpu({ tuning: JSON.parse(JSON.stringify(table)) as TuningTable });
  const traced = await next.trace(() => run(next, next.tensor(new Float32Array(1_000_000))));
  expect(traced[0]!.steps[0]).toMatchObject({ step: 'double', launch: 'double, 1048576' });
  expect(await next.tune(() => {})).toEqual(table);
});

/** What halves keep of numbers, by the conversion on the host. */
const rounded = ({ shape, data }: ReturnType<typeof random>): ReturnType<typeof random> => ({
  shape,
  data: data.map(roundedToHalf),
});

gpuTest('weights stored as halves give the results of rounded weights', async () => {
  const device = await openGpu({ weightStorage: 'f16' });
  using oracle = await createDevice('reference');
  const inputs = {
    x: random([1, 8, 6, 8], { seed: 1 }),
    level: random([1, 4, 3, 5], { seed: 2 }),
    dense: random([6, 8], { seed: 3 }),
    kernel: random([8, 8, 3, 3], { seed: 4 }),
    pyramid: random([6, 13, 3, 3], { seed: 5 }),
  };
  const { x, level, dense, kernel, pyramid } = inputs;
  const halves = { x, level, dense: rounded(dense), kernel: rounded(kernel), pyramid: rounded(pyramid) };
  const bodies: ((t: Readonly<Record<keyof typeof inputs, Tensor>>) => Tensor)[] = [
    (t) => linear(t.x, t.dense),
    (t) => conv2d(t.x, t.kernel, { padding: 1 }),
    (t) => conv2dPyramid([t.x, t.level], t.pyramid),
  ];
  for (const body of bodies) {
    const expected = await compute(oracle, halves, body);
    expectClose(await compute(device, inputs, body), expected, tolerance('sum', 'f32'));
  }
  // The rounding is larger than what the comparison allows.
  const plain = await compute(oracle, inputs, bodies[0]!);
  const actual = await compute(device, inputs, bodies[0]!);
  expect(() => expectClose(actual, plain, tolerance('sum', 'f32'))).toThrow('differ');
});

gpuTest('weights stored as halves take half the memory', async () => {
  const prepared = async (weightStorage: 'f32' | 'f16'): Promise<number> => {
    const device = await openGpu({ weightStorage });
    const weight = device.tensor(new Float32Array(256 * 256), [256, 256], { residence: 'host' });
    const x = device.tensor(new Float32Array(256), [1, 256]);
    const before = device.memory().used;
    const y = linear(x, weight);
    await y.read();
    return device.memory().used - before - 4 * 256;
  };
  expect([await prepared('f32'), await prepared('f16')]).toEqual([4 * 256 * 256, 2 * 256 * 256]);
});

test('an unknown way to store weights is refused', async () => {
  await expect(createDevice('webgpu', { weightStorage: 'f8' as 'f16' })).rejects.toThrow(
    "weightStorage: expected 'f32' or 'f16', got 'f8'",
  );
});
