/** Gradients of whole backbones against PyTorch, plain and with checkpoints. */
import { afterAll, describe, expect, test } from 'vitest';
import { Random, add, mul, record, sum, type Device, type Tensor } from '@ii/tensor';
import {
  channelsLast,
  expectClose,
  goldenStateDict,
  hostTensor,
  loadGolden,
  onEveryDevice,
  type GoldenCase,
} from '@ii/tensor/testing';
import { InternImage } from '../src/index.js';
import { configOf } from './support.js';

const golden = await loadGolden(new URL('fixtures/golden/backbone.json', import.meta.url));

/** Gradients of `Σ map · gy` for the image and all parameters, by name, and the bytes that the backward pass waits for. */
async function gradients(device: Device, example: GoldenCase, withCp: boolean): Promise<Map<string, Float64Array>> {
  const backbone = new InternImage({ ...configOf(example.params), withCp });
  await backbone.load(device, goldenStateDict(example));
  backbone.train({ random: new Random(1) });
  const upload = (name: string): Tensor => {
    const { data, shape } = channelsLast(example.tensor(name));
    return device.tensor(data, shape);
  };
  const image = upload('img');
  const parameters = [...backbone.namedParameters()];
  const weights = [0, 1, 2, 3].map((i) => upload(`gy${i}`));
  const { value, backward } = record(
    () =>
      backbone
        .forward(image)
        .map((map, i) => sum(mul(map, weights[i]!)))
        .reduce((a, b) => add(a, b)),
    [image, ...parameters.map(([, parameter]) => parameter.tensor)],
  );
  const found = backward(value);
  const names = ['gimg', ...parameters.map(([name]) => `grad.${name}`)];
  const results = new Map<string, Float64Array>();
  for (const [i, name] of names.entries()) {
    // A parameter that the forward pass ignores has no gradient.
    if (found[i]) results.set(name, (await hostTensor(found[i])).data as Float64Array);
  }
  for (const tensor of [value, image, ...weights, ...found]) tensor?.dispose();
  backbone.dispose();
  return results;
}

await onEveryDevice({ describe, test, afterAll }, (device) => {
  test.each(golden.cases)('gradients of $id', async (example) => {
    const before = device.memory().tensors;
    const results = await gradients(device, example, false);
    const deviation = example.entry['torch_float32_deviation'] as { grad_rel_worst: number };
    const relative = device.name === 'reference' ? 1e-7 : 10 * deviation.grad_rel_worst;
    const expected = example.names.filter((name) => name === 'gimg' || name.startsWith('grad.'));
    for (const name of expected) {
      const { shape, data } = name === 'gimg' ? channelsLast(example.tensor(name)) : example.tensor(name);
      expectClose({ shape, data: results.get(name) ?? [] }, { shape, data }, { relative }, `${example.id} ${name}`);
    }
    expect(expected.length).toBeGreaterThan(20);
    expect(device.memory().tensors).toBe(before);
  });

  test('checkpoints change no gradient', async () => {
    const example = golden.case('t_odd_size');
    const before = device.memory().tensors;
    const plain = await gradients(device, example, false);
    const recomputed = await gradients(device, example, true);
    expect([...recomputed.keys()]).toEqual([...plain.keys()]);
    for (const [name, data] of plain) {
      const again = recomputed.get(name)!;
      const shape = [data.length];
      // A GPU that was not asked for equal bits adds up DCNv3's gradient in any order.
      if (device.name === 'webgpu') expectClose({ shape, data: again }, { shape, data }, { relative: 1e-5 }, name);
      else expect([name, again]).toEqual([name, data]);
    }
    expect(device.memory().tensors).toBe(before);
  });
});
