/** Tensors, their memory and their lifetimes. */
import { expect, test } from 'vitest';
import type { Device } from '../src/device.js';
import { createDevice } from '../src/create-device.js';
import { DisposedError, DeviceMismatchError, ShapeError } from '../src/errors.js';
import { add, linear, mul, relu, reshape, softmax, sum } from '../src/ops/index.js';
import { scope } from '../src/scope.js';
import type { Tensor } from '../src/tensor.js';
import { forEveryDevice } from './support.js';

async function used(device: Device): Promise<{ tensors: number; used: number }> {
  await device.finish();
  const memory = device.memory();
  return { tensors: memory.tensors, used: memory.used };
}

await forEveryDevice((device) => {
  const live = (): number => device.memory().tensors;

  test('tensors of every dtype come back as they went in', async () => {
    const f32 = device.tensor([1.5, -2], [2, 1]);
    expect(await f32.read()).toEqual(Float32Array.of(1.5, -2));
    expect([f32.dtype, f32.shape, f32.size]).toEqual(['f32', [2, 1], 2]);
    const u8 = device.tensor(Uint8Array.of(1, 255));
    expect(await u8.read()).toEqual(Uint8Array.of(1, 255));
    const i32 = device.tensor(Int32Array.of(-(2 ** 31), 2 ** 31 - 1));
    expect(await i32.read()).toEqual(Int32Array.of(-(2 ** 31), 2 ** 31 - 1));
    const f16 = device.tensor([1, -2, 0.1], [3], { dtype: 'f16' });
    expect(await f16.read()).toEqual(Uint16Array.of(0x3c00, 0xc000, 0x2e66));
    expect(await f16.readFloat32()).toEqual(Float32Array.of(1, -2, 0.0999755859375));
    expect(await f16.readFloat64()).toEqual(Float64Array.of(1, -2, 0.0999755859375));
    const empty = device.tensor([], [3, 0]);
    expect(await empty.read()).toEqual(new Float32Array(0));
    for (const t of [f32, u8, i32, f16, empty]) t.dispose();
  });

  test('a tensor is a copy of the data given, and a read is a copy too', async () => {
    const data = Float32Array.of(1, 2, 3);
    using x = device.tensor(data);
    data[0] = 9;
    const first = await x.read();
    expect([...first]).toEqual([1, 2, 3]);
    first[1] = 9;
    expect([...(await x.read())]).toEqual([1, 2, 3]);
  });

  test('weights that stay on the host compute the same', async () => {
    const before = await used(device);
    const weight = device.tensor(Float32Array.of(1, 10, 100, 1, 1, 1), [2, 3], { residence: 'host' });
    const x = device.tensor([1, 2, 3]);
    for (let i = 0; i < 3; i++) {
      using y = linear(x, weight);
      expect([...(await y.read())]).toEqual([321, 6]);
    }
    expect([...(await weight.read())]).toEqual([1, 10, 100, 1, 1, 1]);
    x.dispose();
    weight.dispose();
    expect(await used(device)).toEqual(before);
  });

  test('data that does not fit its shape is refused', () => {
    expect(() => device.tensor([1, 2, 3], [2, 2])).toThrow(/shape \[2, 2\] needs 4 elements, got 3/);
    expect(() => device.tensor([1], [1, -1])).toThrow(ShapeError);
    expect(() => device.empty([1.5])).toThrow(ShapeError);
  });

  test('memory returns to where it was', async () => {
    const before = await used(device);
    const x = device.tensor(new Float32Array(1000), [10, 100]);
    const w = device.tensor(new Float32Array(5000), [50, 100]);
    const y = linear(x, w);
    const during = await used(device);
    expect(during.tensors).toBe(before.tensors + 3);
    expect(during.used - before.used).toBeGreaterThanOrEqual(4 * (1000 + 5000 + 500));
    for (const t of [x, w, y]) t.dispose();
    expect(await used(device)).toEqual(before);
  });

  test('many runs do not grow', async () => {
    const before = await used(device);
    let reserved = 0;
    for (let i = 0; i < 40; i++) {
      const y = scope(() => {
        const x = device.tensor(new Float32Array(6000).fill(i), [20, 300]);
        return sum(softmax(relu(add(mul(x, x), 1))));
      });
      expect((await y.readFloat64())[0]).toBeCloseTo(20, 4);
      y.dispose();
      if (i === 5) reserved = device.memory().reserved;
    }
    expect(await used(device)).toEqual(before);
    expect(device.memory().reserved).toBeLessThanOrEqual(reserved);
  });

  test('a long queue reuses memory without mixing up results', async () => {
    let x = device.tensor(Float32Array.from({ length: 999 }, (_, i) => i));
    for (let step = 0; step < 200; step++) {
      const next = add(x, 1);
      x.dispose();
      x = next;
    }
    const result = await x.read();
    x.dispose();
    expect(result.every((v, i) => v === i + 200)).toBe(true);
  });

  test('a tensor can be disposed of while it is read', async () => {
    const before = await used(device);
    const x = device.tensor([1, 2]);
    const y = add(x, x);
    const pending = [y.read(), y.readFloat64()];
    x.dispose();
    y.dispose();
    expect([...(await pending[0]!)]).toEqual([2, 4]);
    expect([...(await pending[1]!)]).toEqual([2, 4]);
    expect(await used(device)).toEqual(before);
  });

  test('use after dispose says what it was', async () => {
    const x = device.tensor(Uint8Array.of(1, 2), [1, 2]);
    expect(x.disposed).toBe(false);
    x.dispose();
    expect(x.disposed).toBe(true);
    await expect(x.read()).rejects.toThrow(DisposedError);
    await expect(x.read()).rejects.toThrow(/u8 tensor of shape \[1, 2\] was disposed of/);
    expect(() => reshape(x, [2])).toThrow(DisposedError);
  });

  test('disposing twice gives memory back once', async () => {
    const before = await used(device);
    const x = device.tensor([1, 2]);
    const view = reshape(x, [2, 1]);
    x.dispose();
    x.dispose();
    expect(live()).toBe(before.tensors + 1);
    expect([...(await view.read())]).toEqual([1, 2]);
    view.dispose();
    expect(await used(device)).toEqual(before);
  });

  test('a reshape shares storage until the last view is gone', async () => {
    const before = await used(device);
    const x = device.tensor(new Float32Array(1000));
    const single = await used(device);
    const view = reshape(x, [10, 100]);
    expect((await used(device)).used).toBe(single.used);
    expect(view.storage).toBe(x.storage);
    x.dispose();
    expect((await used(device)).used).toBe(single.used);
    view.dispose();
    expect(await used(device)).toEqual(before);
  });

  test('scope keeps what the body returns and frees the rest', async () => {
    const before = live();
    const single = scope(() => add(device.tensor([1]), 1));
    expect(live()).toBe(before + 1);
    expect([...(await single.read())]).toEqual([2]);
    const [a, b] = scope(() => [device.tensor([1]), device.tensor([2]), device.tensor([3])].slice(0, 2));
    expect([a!.disposed, b!.disposed, live()]).toEqual([false, false, before + 3]);
    const object = scope(() => {
      device.tensor([0]);
      return { maps: [device.tensor([1]), { inner: device.tensor([2]) }], count: 2, none: null };
    });
    expect(live()).toBe(before + 5);
    const { maps } = object;
    for (const t of [single, a!, b!, maps[0] as Tensor, (maps[1] as { inner: Tensor }).inner]) t.dispose();
    expect(live()).toBe(before);
    expect(scope(() => 7)).toBe(7);
  });

  test('tensors made outside a scope survive it, wherever they are used', async () => {
    const before = live();
    const x = device.tensor([1, 2]);
    scope(() => {
      add(x, 1);
      reshape(x, [2, 1]);
    });
    expect([...(await x.read())]).toEqual([1, 2]);
    expect(live()).toBe(before + 1);
    x.dispose();
  });

  test('scopes nest: what the inner one returns belongs to the outer one', () => {
    const before = live();
    const kept = scope(() => {
      const [inner, returned] = scope(() => {
        device.tensor([0]);
        return [device.tensor([1]), device.tensor([2])];
      });
      expect(live()).toBe(before + 2);
      expect(inner!.disposed).toBe(false);
      return returned!;
    });
    expect(live()).toBe(before + 1);
    kept.dispose();
    expect(live()).toBe(before);
  });

  test('a scope that throws frees everything', () => {
    const before = live();
    expect(() =>
      scope(() => {
        const x = device.tensor([1]);
        scope(() => add(x, 1));
        throw new RangeError('stop');
      }),
    ).toThrow(RangeError);
    expect(live()).toBe(before);
    const after = device.tensor([1]);
    expect(live()).toBe(before + 1);
    after.dispose();
  });

  test('disposing by hand in a scope is fine', () => {
    const before = live();
    const result = scope(() => {
      const x = device.tensor([1]);
      x.dispose();
      return x;
    });
    expect([result.disposed, live()]).toEqual([true, before]);
  });

  test('an asynchronous body is refused, and what it made is freed', () => {
    const before = live();
    expect(() => scope(async () => device.tensor([1]))).toThrow(/returned a promise/);
    expect(live()).toBe(before);
  });

  test('using disposes at the end of the block', () => {
    const before = live();
    {
      using x = device.tensor([1]);
      expect(x.disposed).toBe(false);
      expect(live()).toBe(before + 1);
    }
    expect(live()).toBe(before);
  });
});

test('a disposed device refuses work and has taken its tensors along', async () => {
  const device = await createDevice('reference');
  const x = device.tensor([1, 2]);
  device.dispose();
  device.dispose();
  expect(x.disposed).toBe(true);
  expect(device.memory()).toMatchObject({ tensors: 0, used: 0 });
  expect(() => device.tensor([1])).toThrow(DisposedError);
  expect(() => device.empty([1])).toThrow(/reference device was disposed of/);
  await expect(device.finish()).rejects.toThrow(DisposedError);
});

test('tensors of two devices do not mix', async () => {
  using one = await createDevice('reference');
  using two = await createDevice('reference');
  const a = one.tensor([1]);
  const b = two.tensor([1]);
  expect(() => add(a, b)).toThrow(DeviceMismatchError);
  const live = a.device.memory().tensors;
  expect(() => add(a, b)).toThrow(/kernel 'binary': tensor 'b' is on another device/);
  expect(a.device.memory().tensors).toBe(live);
});
