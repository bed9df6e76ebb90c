/** Where a NaN comes from. */
import { expect, test } from 'vitest';
import { add, concat, div, exp, linear, log, sum } from '../src/ops/index.js';
import { scope } from '../src/scope.js';
import { forEveryDevice } from './support.js';

await forEveryDevice((device) => {
  test('the first kernel that makes or meets a value that is not finite is named', async () => {
    const before = device.memory();
    using x = device.tensor([1, 0, 2, 3], [2, 2]);
    using w = device.tensor([1, 2, 3, 4], [2, 2]);
    const body = (): void => sum(div(add(linear(x, w), 1), log(x))).dispose();
    await expect(device.checkNumerics(() => scope(body))).rejects.toThrow(
      "first seen in output 'y' [2, 2] of kernel 'unary' (call 3)",
    );
    using bad = device.tensor([1, NaN], [1, 2]);
    await expect(device.checkNumerics(() => linear(bad, w).dispose())).rejects.toThrow(
      "first seen in input 'x' [1, 2] of kernel 'linear' (call 1)",
    );
    for (const tensor of [x, w, bad]) tensor.dispose();
    await device.finish();
    expect(device.memory()).toMatchObject({ tensors: before.tensors, used: before.used });
  });

  test('what is filled in parts is looked at when it is whole', async () => {
    const stale = Array.from({ length: 20 }, () => device.tensor(new Float32Array(64).fill(NaN)));
    await device.finish();
    for (const tensor of stale) tensor.dispose();
    const parts = [1, 2, 3, 4].map((value) => device.tensor(new Float32Array(16).fill(value)));
    const whole = await device.checkNumerics(() => concat(parts));
    expect((await whole.read())[63]).toBe(4);
    using bad = device.tensor(new Float32Array(16).fill(NaN));
    await expect(device.checkNumerics(() => concat([...parts, bad]).dispose())).rejects.toThrow('[16] of kernel');
    for (const tensor of [whole, ...parts]) tensor.dispose();
  });

  test('finite values pass, however large, and the value comes back', async () => {
    using x = device.tensor([3e38, 3e38, -3e38], [3]);
    const y = await device.checkNumerics(() => add(x, 0));
    expect([...(await y.read())]).toEqual([...(await x.read())]);
    y.dispose();
    using overflow = device.tensor([100], [1]);
    const run = device.checkNumerics(() => exp(overflow).dispose());
    // The oracle computes in f64, where e^100 is a number like any other.
    if (device.name === 'reference') await run;
    else await expect(run).rejects.toThrow("kernel 'unary'");
  });
});
