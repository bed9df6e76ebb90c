import { afterAll, describe, expect, test } from 'vitest';
import { add, conv2d, linear, summarizeTrace } from '../src/index.js';
import { onEveryDevice } from '../src/testing/index.js';

await onEveryDevice({ describe, test, afterAll }, (device) => {
  test('a trace lists the kernels with their work and times', async () => {
    const x = device.tensor(new Float32Array(1 * 40 * 40 * 16).fill(1), [1, 40, 40, 16]);
    const w = device.tensor(new Float32Array(32 * 16 * 9).fill(1), [32, 16, 3, 3]);
    const v = device.tensor(new Float32Array(8 * 32).fill(1), [8, 32]);
    const trace = await device.trace(async () => {
      const y = conv2d(x, w, { padding: 1 });
      const z = linear(y, v);
      await add(z, z).read();
    });
    expect(trace.map(({ kernel, shape }) => [kernel, shape])).toEqual([
      ['conv2d', [1, 40, 40, 32]],
      ['linear', [1, 40, 40, 8]],
      ['binary', [1, 40, 40, 8]],
    ]);
    expect(trace[0]!.flops).toBe(2 * 1600 * 32 * 144);
    expect(trace[1]!.flops).toBe(2 * 1600 * 8 * 32);
    expect(trace[2]!.bytes).toBe(3 * 4 * 1600 * 8);
    for (const { milliseconds, steps } of trace) {
      expect(steps.length).toBeGreaterThan(0);
      expect(milliseconds).toBeGreaterThanOrEqual(0);
      expect(milliseconds).toBeLessThan(10_000);
    }
    const summary = summarizeTrace([...trace, ...trace]);
    expect(summary.find(({ kernel }) => kernel === 'conv2d')).toMatchObject({ calls: 2, flops: 2 * trace[0]!.flops });
  });

  test('more commands than the ring has slots are all timed; a second trace at once is refused', async () => {
    const x = device.tensor(new Float32Array(4));
    const trace = device.trace(async () => {
      for (let i = 0; i < 9000; i++) add(x, x).dispose();
    });
    await Promise.resolve();
    await expect(device.trace(() => {})).rejects.toThrow('this device is being traced already');
    const entries = await trace;
    expect(entries.length).toBe(9000);
    expect(entries.every(({ steps }) => steps.length === 1)).toBe(true);
    expect(await device.trace(() => {})).toEqual([]);
  });
});
