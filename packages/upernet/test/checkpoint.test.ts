/** What checkpoints (`withCp`) save on InternImage-T, and that they change nothing else. */
import { expect, test } from 'vitest';
import { variants } from '@ii/backbone';
import { Random, createDevice, record, scope } from '@ii/tensor';
import { randomNumbers } from '@ii/tensor/testing';
import { UperNet } from '../src/index.js';
import { cheapWeights } from './support.js';

// Activations grow with the pixels, so that the ratio at 128×128 is that at 512×512.
const shape = [2, 128, 128] as const;

test('T: the same gradients, at least 2.5 times less memory between the passes', { timeout: 300_000 }, async () => {
  using device = await createDevice('wasm', { threads: 2 });
  const pixels = randomNumbers(shape.reduce((n, d) => n * d, 3));
  const truth = Uint8Array.from(
    randomNumbers(
      shape.reduce((n, d) => n * d, 1),
      { low: 0, high: 150 },
    ),
  );
  const names = ['backbone.patch_embed.conv2.weight', 'backbone.levels.2.blocks.9.dcn.offset.weight'];
  names.push('backbone.levels.1.blocks.0.mlp.fc1.weight', 'decode_head.fpn_convs.0.conv.weight');

  const run = async (withCp: boolean): Promise<{ bytes: number; gradients: (readonly [string, Float32Array])[] }> => {
    const network = new UperNet({ backbone: { ...variants.T, dropPathRate: 0.2, withCp } });
    await network.load(device, cheapWeights(network));
    network.train({ random: new Random(7) });
    using images = device.tensor(pixels, [...shape, 3]);
    using labels = device.tensor(truth, shape);
    const parameters = [...network.namedParameters()];
    // Packed weights are made by the first pass and stay; they are not meant here.
    scope(() => network.losses(images, labels).total).dispose();
    await device.finish();
    const before = device.memory().used;
    const { value, backward } = record(
      () => network.losses(images, labels).total,
      parameters.map(([, parameter]) => parameter.tensor),
    );
    await device.finish();
    const bytes = device.memory().used - before;
    const found = backward(value);
    const gradients: (readonly [string, Float32Array])[] = [];
    for (const [i, [name]] of parameters.entries()) {
      if (names.includes(name)) gradients.push([name, await found[i]!.readFloat32()]);
      found[i]?.dispose();
    }
    value.dispose();
    network.dispose();
    return { bytes, gradients };
  };

  const plain = await run(false);
  const recomputed = await run(true);
  expect(plain.gradients).toHaveLength(4);
  for (const [name, gradient] of plain.gradients)
    expect([name, gradient.some((value) => value !== 0)]).toEqual([name, true]);
  expect(recomputed.gradients).toEqual(plain.gradients);
  expect(plain.bytes / recomputed.bytes).toBeGreaterThan(2.5);
});
