/** Activations stored as halves: every operator that takes part, what stays f32, and that nothing else changes. */
import { afterAll, describe, expect, test as everyTest } from 'vitest';
import { backward, inFullPrecision } from '../src/autograd/index.js';
import { defineShader, write } from '../src/backends/webgpu/program.js';
import { linearBuiltins, storage } from '../src/backends/webgpu/wgsl.js';
import { createDevice } from '../src/create-device.js';
import type { Device } from '../src/device.js';
import { defineKernel, type Slot } from '../src/kernel.js';
import { BatchNorm2d, Linear, Module } from '../src/nn/index.js';
import { add, cast, concat, copyInto, full, gelu, linear, mul, pad, sum } from '../src/ops/index.js';
import { AdamW, clipFactor, gradientNorm } from '../src/optim/index.js';
import { Random } from '../src/random.js';
import { scope } from '../src/scope.js';
import { sizeOf, type Shape } from '../src/shape.js';
import type { Tensor } from '../src/tensor.js';
import {
  asHalves,
  devices,
  expectClose,
  expectHalves,
  roundedToHalf,
  tolerance,
  type HostTensor,
} from '../src/testing/index.js';
import { halvesCases, type HalvesCase } from './halves-cases.js';
import { compute, random } from './support.js';

const options = { activationStorage: 'f16' } as const;
const [made] = await devices([{ title: 'webgpu', name: 'webgpu', options }]);
const oracle = await createDevice('reference');
afterAll(() => made?.device?.dispose());

const test = (title: string, body: (device: Device) => Promise<void>): void =>
  everyTest(title, async (context) => {
    if (made?.device) await body(made.device);
    else context.skip(made?.reason);
  });

/** Compares with f64 on the same rounded operands. */
async function expectRounded(device: Device, one: HalvesCase): Promise<void> {
  const { halves, floats = {}, body, kind, step, result = 'f16' } = one;
  const inputs: Record<string, HostTensor<Float32Array>> = {};
  for (const [i, [name, shape]] of Object.entries({ ...halves, ...floats }).entries()) {
    const { data } = random(shape, { seed: i + 1, low: -2, high: 2 });
    inputs[name] = { shape, data: name in halves ? data.map(roundedToHalf) : data };
  }
  const expected = await compute(oracle, inputs, body);
  let actual = expected;
  const entries = await device.trace(async () => {
    actual = await compute(device, inputs, (uploaded) => {
      const operands = Object.entries(uploaded).map(([name, x]) => [name, name in halves ? asHalves(x) : x] as const);
      return body(Object.fromEntries(operands));
    });
  });
  const steps = entries.flatMap((entry) => entry.steps.map((ran) => ran.step));
  expect(steps).not.toContain('convertStorage');
  if (step) expect(steps).toContain(step);

  const bound = tolerance(kind, 'f32');
  if (result === 'f16' && kind !== 'exact') expectHalves(actual, expected, bound);
  else expectClose(actual, expected, bound);
}

describe('operators on halves', () => {
  for (const [title, one] of Object.entries(halvesCases)) test(title, (device) => expectRounded(device, one));
});

/** The steps of what `body` enqueues, and the elements of its result. */
async function traced(device: Device, body: () => Tensor): Promise<{ steps: string[]; values: number[] }> {
  let y: Tensor | undefined;
  const entries = await device.trace(() => (y = scope(body)));
  const values = [...(await y!.readFloat64())];
  y!.dispose();
  return { steps: entries.flatMap((entry) => entry.steps.map(({ step }) => step)), values };
}

test('an operator that takes no halves gets them as floats, by a step more', async (device) => {
  using x = asHalves(device.tensor([1, 2, 3, 4]));
  const { steps, values } = await traced(device, () => sum(x));
  expect(steps[0]).toBe('convertStorage');
  expect(steps).toHaveLength(2);
  expect(values).toEqual([10]);
});

const doubleShader = defineShader(
  'double',
  () => `${storage(['read_write', 'y', 'array<f32>'])}
@compute @workgroup_size(1) fn main(${linearBuiltins}) { y[group.x] *= 2.0; }`,
);
/** Works in place, and knows nothing of halves. */
const double = defineKernel<{ x: Slot }, { y: Slot }, object>('double', {
  webgpu: (_inputs, { y }) => [{ shader: doubleShader({}), bindings: [write(y)], workgroups: [sizeOf(y.shape), 1, 1] }],
});

test('one that works in place on halves gets them as floats and leaves halves', async (device) => {
  using x = asHalves(device.tensor([1, 2.5, -3, 40000]));
  const run = (): void => device.enqueue(double, { inputs: { x }, outputs: { y: x }, params: {} });
  const entries = await device.trace(run);
  expect(entries[0]!.steps.map(({ step }) => step)).toEqual(['convertStorage', 'double', 'convertStorage']);
  expect([...(await x.read())]).toEqual([2, 5, -6, 65504]);
  using example = device.tensor([0, 0, 0, 0]);
  using capture = device.capture((given) => {
    run();
    return [add(given, x)];
  }, example);
  for (const factor of [2, 4]) {
    expect([...(await capture.run(example)[0]!.read())]).toEqual([2, 5, -6].map((v) => v * factor).concat(65504));
  }
});

test('floats and halves are joined as what the first one is', async (device) => {
  using floats = device.tensor([1 + 2 ** -20, 2, 3, 4]);
  using halves = asHalves(device.tensor([0.5, 6, 7, 8]));
  const first = await traced(device, () => concat([floats, halves]));
  expect(first.values).toEqual([1 + 2 ** -20, 2, 3, 4, 0.5, 6, 7, 8]);
  const second = await traced(device, () => concat([halves, floats]));
  expect(second.values).toEqual([0.5, 6, 7, 8, 1, 2, 3, 4]);
  for (const { steps } of [first, second]) expect(steps.filter((step) => step === 'convertStorage')).toHaveLength(1);
  const padded = await traced(device, () => pad(halves, [[1, 0]], -1));
  expect(padded.values).toEqual([-1, 0.5, 6, 7, 8]);
});

test('casts read halves, and integers become exact floats', async (device) => {
  using x = asHalves(device.tensor([1.5, -2, 300, 2 ** -24]));
  const cases = [
    [() => cast(x, 'f16'), [1.5, -2, 300, 2 ** -24]],
    [() => cast(x, 'u8'), [1, 0, 255, 0]],
    [() => cast(cast(full(x, [4], 2049), 'i32'), 'f32'), [2049, 2049, 2049, 2049]],
  ] as const;
  for (const [body, expected] of cases) {
    const { steps, values } = await traced(device, body);
    expect(values).toEqual(expected);
    expect(steps).not.toContain('convertStorage');
  }
});

test('what lies beyond the halves is stored as the largest one, and NaN as NaN', async (device) => {
  const beyond = [70000, -1e30, 65519, NaN, Infinity, 2 ** -26, -65504, 0];
  using x = device.tensor(Float32Array.from(beyond));
  using y = mul(x, 1);
  expect([...(await y.read())]).toEqual([65504, -65504, 65504, NaN, 65504, 0, -65504, 0]);
});

test('halves take half the memory', async (device) => {
  const before = device.memory().used;
  const bytesOf = (shape: Shape, make: (x: Tensor) => Tensor): number => {
    using x = device.tensor(new Float32Array(sizeOf(shape)), shape);
    const start = device.memory().used;
    using y = make(x);
    expect(y.dtype).toBe('f32');
    return device.memory().used - start;
  };
  expect(bytesOf([64, 64], gelu)).toBe(2 * 64 * 64);
  expect(bytesOf([2048, 2], gelu)).toBe(4 * 2048 * 2);
  expect(bytesOf([64, 64], (x) => inFullPrecision(() => gelu(x)))).toBe(4 * 64 * 64);
  await device.finish();
  expect(device.memory().used).toBe(before);
});

test('a capture gives the bits of a direct run', async (device) => {
  using weight = device.tensor(random([8, 8], { seed: 8 }).data, [8, 8]);
  using earlier = asHalves(device.tensor(random([3, 8], { seed: 9 }).data, [3, 8]));
  // A product, an operator that takes no halves, and halves from outside.
  const body = (x: Tensor): Tensor => scope(() => add(gelu(linear(x, weight, { residual: earlier })), sum(earlier)));
  using first = device.tensor(random([3, 8], { seed: 1 }).data, [3, 8]);
  using second = asHalves(first);
  using capture = device.capture((x) => [body(x)], first);
  for (const x of [first, second, first]) {
    using direct = body(x);
    expect(await capture.run(x)[0]!.read()).toEqual(await direct.read());
  }
});

test('a tensor made before a capture, and first written within, outlives it', async (device) => {
  using x = device.tensor([1, 2, 3, 4]);
  const before = device.memory().used;
  const y = device.empty([4]);
  const capture = device.capture((given) => {
    copyInto(y, mul(given, 2));
    return [];
  }, x);
  capture.run(x);
  expect([...(await y.read())]).toEqual([2, 4, 6, 8]);
  capture.dispose();
  expect([...(await y.read())]).toEqual([2, 4, 6, 8]);
  y.dispose();
  expect(device.memory().used).toBe(before);
});

class Net extends Module {
  readonly first = this.child('first', new Linear(8, 8));
  readonly norm = this.child('norm', new BatchNorm2d(8));
  readonly last = this.child('last', new Linear(8, 4));

  loss(x: Tensor): Tensor {
    return scope(() => sum(mul(this.last.forward(gelu(this.norm.forward(this.first.forward(x)))), 3)));
  }
}

/** A step of training over two batches, and the state afterwards. */
async function train(device: Device): Promise<Record<string, number[]>> {
  const net = new Net();
  net.initialize(device, 1);
  net.train({ random: new Random(1, 'test') });
  const parameters = new Map(net.namedParameters());
  const optimizer = new AdamW([{ name: 'all', parameters, lrScale: 1, weightDecay: 0.1 }]);
  for (const seed of [1, 2]) {
    using x = device.tensor(random([1, 2, 3, 8], { seed }).data, [1, 2, 3, 8]);
    backward(net, () => net.loss(x)).dispose();
  }
  // Running statistics are parameters also where nothing is recorded.
  using more = device.tensor(random([1, 2, 3, 8], { seed: 3 }).data, [1, 2, 3, 8]);
  net.norm.forward(more).dispose();
  const state: Record<string, number[]> = {};
  for (const [name, { gradient }] of parameters) state[`gradient of ${name}`] = [...(await gradient!.read())];
  scope(() => optimizer.step([0.1], clipFactor(gradientNorm(parameters.values()), 1)));
  for (const [name, { tensor }] of net.namedState()) state[name] = [...(await tensor.read())];
  optimizer.dispose();
  net.dispose();
  return state;
}

test('training gives the bits of a device that stores f32', async (device) => {
  const [plain] = await devices([{ title: 'webgpu', name: 'webgpu', options: {} }]);
  using other = plain!.device!;
  const before = device.memory().tensors;
  const state = await train(device);
  expect(Object.keys(state)).toHaveLength(6 + 9);
  expect(state).toEqual(await train(other));
  expect(device.memory().tensors).toBe(before);
});

everyTest('an unknown way to store activations is refused', async () => {
  await expect(createDevice('webgpu', { activationStorage: 'f8' as 'f16' })).rejects.toThrow(
    "activationStorage: expected 'f32' or 'f16', got 'f8'",
  );
});
