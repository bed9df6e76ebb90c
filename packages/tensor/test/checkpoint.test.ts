/** Checkpoints: what they compute again, what they keep, and that gradients do not notice. */
import { afterAll, describe, expect, test } from 'vitest';
import { checkpoint, gelu, linear, mul, record, scope, sum, type Device, type Tensor } from '../src/index.js';
import { onEveryDevice, randomNumbers } from '../src/testing/index.js';

const [rows, narrow, wide] = [64, 16, 64];

/** x `[rows, narrow]`, the weights of a linear layer up and of one down, and what the gradient is weighed with. */
const operands = (device: Device): Tensor[] =>
  [
    [rows, narrow],
    [wide, narrow],
    [narrow, wide],
    [rows, narrow],
  ].map((shape, i) => device.tensor(randomNumbers(shape[0]! * shape[1]!, { seed: i + 1 }), shape));

type Body = (x: Tensor, up: Tensor, down: Tensor) => Tensor;

const mlp =
  (keptInCheckpoint: boolean): Body =>
  (x, up, down) =>
    linear(linear(x, up, { activation: 'gelu' }), down, { residual: x, keptInCheckpoint });

/** The gradients of `body`, which kernels ran for them, and the bytes and tensors that waited between the passes. */
async function gradients(device: Device, body: Body, checkpointed: boolean) {
  const sources = operands(device);
  const weights = sources.pop()!;
  const [x, up, down] = sources as [Tensor, Tensor, Tensor];
  const before = device.memory();
  let bytes = 0;
  let found: (Tensor | null)[] = [];
  const trace = await device.trace(() => {
    const { value, backward } = record(() => {
      const y = checkpointed ? checkpoint((map) => body(map, up, down), x) : body(x, up, down);
      return sum(mul(y, weights));
    }, sources);
    bytes = device.memory().used - before.used;
    found = backward(value);
    value.dispose();
  });
  const values = await Promise.all(found.map((gradient) => gradient!.readFloat32()));
  for (const tensor of [...found, ...sources, weights]) tensor?.dispose();
  expect(device.memory().tensors).toBe(before.tensors - 4);
  return { values, bytes, kernels: trace.map(({ kernel }) => kernel) };
}

await onEveryDevice({ describe, test, afterAll }, (device) => {
  test('a checkpoint runs its body twice, and gives the same gradients', async () => {
    const plain = await gradients(device, mlp(false), false);
    const again = await gradients(device, mlp(false), true);
    expect(again.values).toEqual(plain.values);
    const count = (kernels: readonly string[], name: string): number => kernels.filter((k) => k === name).length;
    expect([count(plain.kernels, 'linear'), count(again.kernels, 'linear')]).toEqual([2, 4]);
    // Both maps of the wide axis, before and after the activation.
    expect(plain.bytes - again.bytes).toBeGreaterThanOrEqual(2 * rows * wide * 4);
  });

  test('what is kept is not computed again', async () => {
    const plain = await gradients(device, mlp(false), false);
    const kept = await gradients(device, mlp(true), true);
    expect(kept.values).toEqual(plain.values);
    expect(kept.kernels.filter((kernel) => kernel === 'linear')).toHaveLength(3);
    expect(plain.bytes - kept.bytes).toBeGreaterThanOrEqual((2 * wide - narrow) * rows * 4);
  });

  test('results are kept in every layer of checkpoints in checkpoints', async () => {
    const body = mlp(true);
    const twice: Body = (x, up, down) => body(gelu(body(x, up, down)), up, down);
    const nested: Body = (x, up, down) => body(gelu(checkpoint((map) => body(map, up, down), x)), up, down);
    const plain = await gradients(device, twice, false);
    const inner = await gradients(device, nested, true);
    expect(inner.values).toEqual(plain.values);
    // The inner body runs in both runs of the outer one and once more for its gradient, which recalls its last product.
    expect(inner.kernels.filter((kernel) => kernel === 'linear')).toHaveLength(2 + 2 + 2 + 1 + 1);
  });

  test('a body that keeps more when it runs again is refused, and nothing stays behind', () => {
    const [x, up, down, weights] = operands(device) as [Tensor, Tensor, Tensor, Tensor];
    const before = device.memory().tensors;
    let runs = 0;
    const { value, backward } = record(
      () =>
        sum(
          mul(
            checkpoint((map) => mlp(runs++ > 0)(map, up, down), x),
            weights,
          ),
        ),
      [x],
    );
    expect(() => backward(value)).toThrow(
      'checkpoint: the body keeps more results in the backward pass than the 0 of its first run; it must compute the same each time',
    );
    value.dispose();
    expect(device.memory().tensors).toBe(before);
    for (const tensor of [x, up, down, weights]) tensor.dispose();
  });

  test('outside of a recording a checkpoint only runs its body', async () => {
    const [x, up, down] = operands(device) as [Tensor, Tensor, Tensor];
    const before = device.memory().tensors;
    const [plain, inside] = scope(() => [mlp(true)(x, up, down), checkpoint((map) => mlp(true)(map, up, down), x)]) as [
      Tensor,
      Tensor,
    ];
    expect(device.memory().tensors).toBe(before + 2);
    expect(await inside.readFloat32()).toEqual(await plain.readFloat32());
    for (const tensor of [plain, inside, x, up, down]) tensor.dispose();
  });
});
