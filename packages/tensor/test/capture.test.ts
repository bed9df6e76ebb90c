import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { placeBlocks } from '../src/backends/wasm/plan.js';
import { add, conv2d, createDevice, keep, linear, mul, relu, scope, softmax } from '../src/index.js';
import { onEveryDevice, randomNumbers } from '../src/testing/index.js';

await onEveryDevice({ describe, test, afterAll }, (device) => {
  const w = device.tensor(randomNumbers(8 * 4 * 9, { seed: 3 }), [8, 4, 3, 3], { residence: 'host' });
  const v = device.tensor(randomNumbers(5 * 8, { seed: 4 }), [5, 8], { residence: 'host' });
  /** Products with prepared weights, a constant made on the way, several intermediates. */
  const body = (x: ReturnType<typeof device.tensor>) => {
    const y = mul(relu(conv2d(x, w, { padding: 1 })), 0.5);
    const z = linear(y, v);
    return [softmax(add(z, z)), y];
  };
  const image = (seed: number) => device.tensor(randomNumbers(6 * 7 * 4, { seed }), [1, 6, 7, 4]);

  test('a capture gives what the body gives, for new inputs each time, in constant memory', async () => {
    const first = image(1);
    for (const tensor of scope(() => body(first))) tensor.dispose();
    using capture = device.capture((x) => body(x!), first);
    let memory = device.memory();
    for (let seed = 1; seed <= 4; seed++) {
      const x = image(seed);
      const expected = scope(() => body(x));
      const results = capture.run(x);
      for (const [i, tensor] of expected.entries()) {
        expect(await results[i]!.readFloat64()).toEqual(await tensor.readFloat64());
        expect(results[i]!.shape).toEqual(tensor.shape);
        tensor.dispose();
      }
      x.dispose();
      if (seed === 2) memory = device.memory();
    }
    expect(device.memory()).toEqual(memory);
    first.dispose();
  });

  test('inputs of another shape or dtype are refused', () => {
    const x = image(1);
    using capture = device.capture((y) => body(y!), x);
    using other = device.tensor(new Float32Array(4 * 4 * 4), [1, 4, 4, 4]);
    using bytes = device.tensor(new Uint8Array(6 * 7 * 4), [1, 6, 7, 4]);
    expect(() => capture.run(other)).toThrow('input 0 was captured as f32 [1, 6, 7, 4], got f32 [1, 4, 4, 4]');
    expect(() => capture.run(bytes)).toThrow('got u8 [1, 6, 7, 4]');
    expect(() => capture.run()).toThrow('got nothing');
    x.dispose();
  });

  test('everything is given back', async () => {
    await device.finish();
    const before = device.memory();
    const x = image(1);
    const capture = device.capture((y) => body(y!), x);
    capture.run(x);
    capture.dispose();
    capture.dispose();
    x.dispose();
    expect(device.memory()).toMatchObject({ tensors: before.tensors, used: before.used });
  });
});

describe('recordings of the wasm device', () => {
  test('the plan reuses memory: a long chain takes no more than a short one', async () => {
    using device = await createDevice('wasm', { threads: 1 });
    const x = device.tensor(new Float32Array(100_000).fill(-2));
    const chain = (length: number) => {
      const before = device.memory().used;
      const capture = device.capture((y) => {
        let value = y!;
        for (let i = 0; i < length; i++) value = scope(() => relu(value));
        return [value];
      }, x);
      const used = device.memory().used - before;
      capture.dispose();
      return used;
    };
    // Nothing in the body is disposed of early, so that all of it is alive at the end of the scope.
    expect(chain(3)).toBeLessThan(5 * 400_200);
    const before = device.memory().used;
    using capture = device.capture((y) => {
      let value = relu(y!);
      for (let i = 0; i < 20; i++) {
        const next = relu(value);
        value.dispose();
        value = next;
      }
      return [value];
    }, x);
    expect(device.memory().used - before).toBeLessThan(3.1 * 400_100);
    expect((await capture.run(x)[0]!.readFloat32())[5]).toBe(0);
  });

  test('a weight that is disposed of makes the capture stale; reading in the body and nesting are refused', async () => {
    using device = await createDevice('wasm', { threads: 2 });
    const w = device.tensor(new Float32Array(12).fill(1), [3, 4], { residence: 'host' });
    const x = device.tensor(new Float32Array(8).fill(1), [2, 4]);
    const capture = device.capture((y) => [linear(y!, w)], x);
    expect(await capture.run(x)[0]!.readFloat32()).toEqual(new Float32Array(6).fill(4));
    w.dispose();
    expect(() => capture.run(x)).toThrow('written to or disposed of since; capture again');
    const nested = () => device.capture(() => device.capture((y) => [relu(y!)], x).run(x), x);
    expect(nested).toThrow('captures do not nest');
    let read: Promise<unknown> = Promise.resolve();
    const reading = () =>
      device.capture((y) => {
        read = relu(y!).read();
        read.catch(() => {});
        return [relu(y!)];
      }, x);
    expect(reading).toThrow('make and read them outside');
    await expect(read).rejects.toThrow('a tensor was read in the body');
  });

  test('weights computed in the body are prepared in each replay', async () => {
    using device = await createDevice('wasm', { threads: 2 });
    const x = device.tensor(randomNumbers(3 * 4, { seed: 1 }), [3, 4]);
    const body = (y: ReturnType<typeof device.tensor>) => [linear(y, mul(y, 2))];
    using capture = device.capture((y) => scope(() => body(y!)), x);
    for (const seed of [2, 3]) {
      using y = device.tensor(randomNumbers(3 * 4, { seed }), [3, 4]);
      const [expected] = scope(() => body(y));
      expect(await capture.run(y)[0]!.readFloat32()).toEqual(await expected!.readFloat32());
    }
  });

  test('tensors that the body keeps are refused', async () => {
    using device = await createDevice('wasm', { threads: 1 });
    const x = device.tensor(new Float32Array(64));
    expect(() => device.capture((y) => [relu(keep(relu(y!)))], x)).toThrow('1 blocks made in the body are still held');
  });
});

test('planned blocks that live at the same time never overlap, and the plan is not much larger than it must be', () => {
  const blocks = fc.array(
    fc.record({
      size: fc.integer({ min: 1, max: 50 }),
      from: fc.integer({ min: 0, max: 40 }),
      life: fc.integer({ min: 0, max: 20 }),
    }),
    { maxLength: 40 },
  );
  const property = fc.property(blocks, (drawn) => {
    const uses = drawn.map(({ size, from, life }) => ({ size: size * 64, from, to: from + life }));
    const { addresses, size } = placeBlocks(uses);
    uses.forEach((a, i) =>
      uses.slice(0, i).forEach((b, j) => {
        if (a.from >= b.to || b.from >= a.to) return;
        expect(addresses[i]! + a.size <= addresses[j]! || addresses[j]! + b.size <= addresses[i]!).toBe(true);
      }),
    );
    const alive = (t: number): number => uses.reduce((sum, u) => sum + (u.from <= t && t < u.to ? u.size : 0), 0);
    const needed = Math.max(0, ...Array.from({ length: 61 }, (_, t) => alive(t)), ...uses.map((use) => use.size));
    expect(size).toBeLessThanOrEqual(2 * needed);
  });
  fc.assert(property, { seed: 1, numRuns: 300 });
});
