/** Products large enough for several blocks of K, of rows and of columns: the same bits on any number of threads. */
import { expect, test } from 'vitest';
import { createDevice } from '../src/create-device.js';
import type { Device } from '../src/device.js';
import { conv2d, linear, matmul } from '../src/ops/index.js';
import type { Tensor } from '../src/tensor.js';
import { random, upload } from './support.js';

const cases: Readonly<Record<string, (make: (...shape: number[]) => Tensor) => Tensor>> = {
  linear: (make) => linear(make(201, 1001), make(75, 1001), { bias: make(75), activation: 'gelu' }),
  'linear of one row': (make) => linear(make(1, 4000), make(300, 4000)),
  matmul: (make) => matmul(make(3, 1000, 130), make(1000, 45), { transposeA: true }),
  // A range of the sums at a time.
  'matmul of few long sums': (make) => matmul(make(33001, 9), make(33001, 24), { transposeA: true }),
  'matmul of few long sums without whole panels': (make) =>
    matmul(make(33001, 9), make(33001, 21), { transposeA: true }),
  conv2d: (make) => conv2d(make(2, 19, 23, 48), make(70, 48, 3, 3), { padding: 1, stride: [2, 1] }),
  'conv2d in groups': (make) => conv2d(make(1, 31, 33, 24), make(36, 8, 5, 3), { padding: 2, groups: 3 }),
  'depthwise conv2d': (make) => conv2d(make(1, 67, 61, 42), make(42, 1, 3, 3), { padding: 1, groups: 42 }),
};

async function compute(device: Device): Promise<Map<string, Float32Array>> {
  const results = new Map<string, Float32Array>();
  for (const [name, run] of Object.entries(cases)) {
    let seed = 1;
    const y = run((...shape) => upload(device, random(shape, { seed: seed++ })));
    results.set(name, await y.readFloat32());
  }
  return results;
}

test('results have the same bits on 1 and on 5 threads', async () => {
  const [one, five] = [await createDevice('wasm', { threads: 1 }), await createDevice('wasm', { threads: 5 })];
  const [expected, actual] = [await compute(one), await compute(five)];
  for (const [name, data] of expected) {
    expect(
      data.some((v: number) => v !== 0),
      name,
    ).toBe(true);
    expect(actual.get(name), name).toEqual(data);
  }
  one.dispose();
  five.dispose();
});
