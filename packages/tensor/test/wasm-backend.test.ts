/** The CPU device's machinery, apart from its kernels: queue, memory, preparation, failures. */
import { afterEach, describe, expect, test } from 'vitest';
import { library } from '../src/backends/wasm/library.generated.js';
import { f32, scratch, type WasmStep } from '../src/backends/wasm/program.js';
import { createDevice } from '../src/create-device.js';
import type { Device } from '../src/device.js';
import { defineKernel, type Slot } from '../src/kernel.js';
import { add, linear } from '../src/ops/index.js';
import { scope } from '../src/scope.js';
import { randomNumbers } from '../src/testing/index.js';

const fillStep = (y: WasmStep['args'][number], length: number, value: number, chunks: number): WasmStep => ({
  fn: 'fillF32',
  args: [y, length, Math.ceil(length / chunks), f32(value)],
  chunks,
});

/** Fills y by `chunks` chunks, after `before` further fills of scratch memory. */
const fill = defineKernel<object, { y: Slot }, { value: number; chunks: number; before?: number }>('test fill', {
  wasm: {
    library,
    program: (_, { y }, { value, chunks, before = 0 }) => {
      const length = y.shape[0]!;
      const space = scratch(length * 4);
      return [
        ...Array.from({ length: before }, () => fillStep(space, length, -1, chunks)),
        fillStep(y, length, value, chunks),
      ];
    },
  },
});

describe.each([0, 1, 2, 3])('with %d threads', (threads) => {
  let device: Device;
  afterEach(() => device.dispose());

  test('runs every chunk of every step, in order', async () => {
    device = await createDevice('wasm', { threads });
    const y = device.empty([100_003]);
    for (let value = 1; value <= 300; value++) {
      device.enqueue(fill, { inputs: {}, outputs: { y }, params: { value, chunks: 1 + (value % 7) } });
    }
    const data = await y.readFloat32();
    expect(data.length).toBe(100_003);
    expect(data.every((v) => v === 300)).toBe(true);
  });

  test('holds more commands than the ring has slots', async () => {
    device = await createDevice('wasm', { threads });
    const y = device.empty([64]);
    for (let value = 1; value <= 20_000; value++) {
      device.enqueue(fill, { inputs: {}, outputs: { y }, params: { value, chunks: 2 } });
    }
    expect((await y.readFloat32()).every((v) => v === 20_000)).toBe(true);
  });

  test('host writes find memory again while work is always queued', async () => {
    device = await createDevice('wasm', { threads });
    const data = new Float32Array(500_000);
    const reserved: number[] = [];
    let before: Promise<unknown> = Promise.resolve();
    for (let i = 0; i < 60; i++) {
      data.fill(i);
      const next = scope(() => {
        const x = device.tensor(data, [data.length]);
        // Of about its size, as activations of a batch are.
        const y = device.empty([data.length]);
        device.enqueue(fill, { inputs: {}, outputs: { y }, params: { value: 1, chunks: 3, before: 4 } });
        return add(x, y);
      });
      const read = next.readFloat32().then((values) => expect(values[i]).toBe(i + 1));
      next.dispose();
      // One round is always in flight, as a training run has it.
      await before;
      before = read;
      reserved.push(device.memory().reserved);
    }
    await before;
    expect(reserved.at(-1)).toBe(reserved[8]);
  });

  test('host writes never land in memory that queued commands use', async () => {
    device = await createDevice('wasm', { threads });
    const length = 50_000;
    const expected: number[] = [];
    const reads: Promise<Float32Array>[] = [];
    for (let i = 0; i < 60; i++) {
      const y = device.empty([length]);
      device.enqueue(fill, { inputs: {}, outputs: { y }, params: { value: i, chunks: 3, before: 4 } });
      y.dispose();
      const uploaded = device.tensor(new Float32Array(length).fill(1000 + i));
      reads.push(uploaded.readFloat32());
      expected.push(1000 + i);
      uploaded.dispose();
    }
    const results = await Promise.all(reads);
    results.forEach((data, i) => expect(data.every((v) => v === expected[i])).toBe(true));
    expect(device.memory()).toMatchObject({ tensors: 0, used: 0 });
  });

  test('memory is reused: many rounds do not grow it', async () => {
    device = await createDevice('wasm', { threads });
    const round = async (): Promise<void> => {
      const x = device.tensor(new Float32Array(300_000));
      const y = device.empty([300_000]);
      device.enqueue(fill, { inputs: {}, outputs: { y }, params: { value: 7, chunks: 4, before: 2 } });
      await y.read();
      x.dispose();
      y.dispose();
    };
    for (let i = 0; i < 20; i++) await round();
    const { reserved } = device.memory();
    for (let i = 0; i < 200; i++) await round();
    expect(device.memory()).toEqual({ tensors: 0, used: 0, reserved });
  });

  test('a prepared form is made once, kept with its tensor and freed with it', async () => {
    device = await createDevice('wasm', { threads });
    let fills = 0;
    const usesPrepared = defineKernel<{ w: Slot }, { y: Slot }, object>('test prepared', {
      wasm: {
        library,
        program: ({ w }, { y }) => {
          const prepared = {
            kind: 'prepared',
            of: w,
            key: 'twice',
            bytes: 4096,
            fill: (target: WasmStep['args'][number]) => {
              fills++;
              return [fillStep(target, 1024, 2, 1)];
            },
          } as const;
          return [fillStep(prepared, 16, 3, 1), fillStep(y, 16, 4, 1)];
        },
      },
    });
    for (const residence of ['device', 'host'] as const) {
      fills = 0;
      const w = device.tensor(new Float32Array(1 << 20).fill(5), [1 << 20], { residence });
      const y = device.empty([16]);
      const before = device.memory().used;
      for (let i = 0; i < 5; i++) device.enqueue(usesPrepared, { inputs: { w }, outputs: { y }, params: {} });
      expect(fills).toBe(1);
      expect(device.memory().used - before).toBeLessThan(8192);
      expect((await w.readFloat32()).every((v) => v === 5)).toBe(true);
      expect((await y.readFloat32()).every((v) => v === 4)).toBe(true);
      w.dispose();
      y.dispose();
      expect(device.memory().used).toBe(0);
    }
  });
});

test('a kernel without an implementation, and a step that cannot run, are named', async () => {
  using device = await createDevice('wasm', { threads: 1 });
  const y = device.empty([4]);
  const nowhere = defineKernel<object, { y: Slot }, object>('nowhere', {});
  expect(() => device.enqueue(nowhere, { inputs: {}, outputs: { y }, params: {} })).toThrow(
    "kernel 'nowhere' has no implementation for device 'wasm'",
  );
  const z = device.empty([4]);
  const wrong = defineKernel<object, { y: Slot }, object>('wrong', {
    wasm: { library, program: () => [{ fn: 'noSuchFunction', args: [], chunks: 1 }] },
  });
  expect(() => device.enqueue(wrong, { inputs: {}, outputs: { y: z }, params: {} })).toThrow(
    /'noSuchFunction' of @ii\/tensor/,
  );
});

test.each([0, 2])('a kernel that traps fails its reader, and the device goes on (%d threads)', async (threads) => {
  using device = await createDevice('wasm', { threads });
  const trap = defineKernel<object, { y: Slot }, object>('trap', {
    wasm: { library, program: () => [fillStep(0x7ff00000, 16, 1, 1)] },
  });
  const run = async (): Promise<void> => {
    const y = device.empty([16]);
    device.enqueue(trap, { inputs: {}, outputs: { y }, params: {} });
    await y.read();
  };
  await expect(run()).rejects.toThrow(/kernel function 'fillF32' failed/);
  const y = device.empty([16]);
  device.enqueue(fill, { inputs: {}, outputs: { y }, params: { value: 9, chunks: 2 } });
  expect((await y.readFloat32())[15]).toBe(9);
});

test('a request beyond 4 GiB is refused with the figures', async () => {
  using device = await createDevice('wasm', { threads: 1 });
  expect(() => device.empty([1 << 30, 2])).toThrow(/8589934592 bytes do not fit the WebAssembly memory/);
  expect(device.memory().tensors).toBe(0);
});

test('threads out of range are refused', async () => {
  await expect(createDevice('wasm', { threads: -1 })).rejects.toThrow(
    'threads: expected an integer from 0 to 64, got -1',
  );
  await expect(createDevice('wasm', { threads: 1.5 })).rejects.toThrow('got 1.5');
});

test('the selection says how the device runs', async () => {
  using two = await createDevice('wasm', { threads: 2 });
  expect(two.selection).toMatch(/^wasm: 2 worker threads, /);
  using none = await createDevice('wasm', { threads: 0 });
  expect(none.selection).toMatch(/^wasm: the calling thread, .*no workers were asked for/);
});

describe.each([0, 2])('weights beyond the budget, %d threads', (threads) => {
  const size = 192;
  const count = 12;
  const weights = Array.from({ length: count }, (_, i) =>
    randomNumbers(size * size, { seed: i + 1, low: -0.1, high: 0.1 }),
  );

  /** Ten products in a row with held weights, as a network makes them. */
  async function forward(weightBudget: number): Promise<{ result: Float32Array; used: number; reserved: number }> {
    using device = await createDevice('wasm', { threads, weightBudget });
    const held = weights.map((w) => device.tensor(w, [size, size], { residence: 'host' }));
    const x = device.tensor(randomNumbers(64 * size, { seed: 99 }), [64, size]);
    let result: Float32Array = new Float32Array();
    for (let round = 0; round < 3; round++) {
      const y = scope(() => held.reduce((value, w) => linear(value, w), x));
      result = await y.readFloat32();
      y.dispose();
    }
    return { result, ...device.memory() };
  }

  test('give the same results in less memory', async () => {
    const all = await forward(2 ** 31);
    const some = await forward(4 * size * size * 4 + 8192);
    const none = await forward(0);
    expect(some.result).toEqual(all.result);
    expect(none.result).toEqual(all.result);
    const packed = size * size * 4;
    expect(all.used - none.used).toBeGreaterThan(count * packed * 0.99);
    expect(some.used - none.used).toBeGreaterThan(2 * packed);
    expect(some.used - none.used).toBeLessThan(5 * packed);
  });
});

test('prepared weights give way when memory runs out', async () => {
  using device = await createDevice('wasm', { threads: 1 });
  const w = device.tensor(new Float32Array(1 << 20).fill(0.5), [1024, 1024], { residence: 'host' });
  const x = device.tensor(new Float32Array(1024).fill(1), [1, 1024]);
  linear(x, w).dispose();
  const before = device.memory().used;
  // What is left of the 4 GiB, but for less than the prepared weights take.
  const rest = 2 ** 32 - before - (8 << 20);
  using large = device.empty([Math.floor(rest / 4)]);
  expect(large.size).toBeGreaterThan(2 ** 29);
  using y = linear(x, w);
  expect((await y.readFloat32())[7]).toBe(512);
});
