/** InternImage against PyTorch: four small backbones of the T, L and H styles, one with odd sizes. */
import { afterAll, describe, expect, test } from 'vitest';
import { createDevice } from '@ii/tensor';
import { channelsLast, expectClose, goldenStateDict, loadGolden, onEveryDevice } from '@ii/tensor/testing';
import { InternImage, variants, type InternImageConfig } from '../src/index.js';
import { configOf } from './support.js';

const golden = await loadGolden(new URL('fixtures/golden/backbone.json', import.meta.url));

await onEveryDevice({ describe, test, afterAll }, (device) => {
  test.each(golden.cases)('$id', async (example) => {
    const backbone = new InternImage(configOf(example.params));
    await backbone.load(device, goldenStateDict(example));
    const image = channelsLast(example.tensor('img'));
    using x = device.tensor(image.data, image.shape);
    const maps = backbone.forward(x);
    const deviation = example.entry['torch_float32_deviation'] as { out_max_abs: number };
    for (const [i, map] of maps.entries()) {
      const expected = channelsLast(example.tensor(`out${i}`));
      const largest = Array.from(expected.data).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      // Ten times PyTorch's own f32 deviation; on the oracle the rounding of the stored values.
      const relative = device.name === 'reference' ? 1e-7 : (10 * deviation.out_max_abs) / largest;
      expectClose({ data: await map.readFloat64(), shape: map.shape }, expected, { relative }, `map ${i}`);
      map.dispose();
    }
    backbone.dispose();
  });

  test('a forward pass leaves nothing behind', async () => {
    const backbone = new InternImage({ channels: 8, depths: [1, 1, 1, 1], groups: [1, 2, 4, 8], layerScale: 1 });
    backbone.initialize(device, 3);
    using x = device.tensor(new Float32Array(32 * 48 * 3).fill(0.5), [1, 32, 48, 3]);
    for (const map of backbone.forward(x)) map.dispose();
    await device.finish();
    const { tensors, used } = device.memory();
    for (let i = 0; i < 3; i++) for (const map of backbone.forward(x)) map.dispose();
    expect(device.memory()).toMatchObject({ tensors, used });
    backbone.dispose();
  });
});

test('outIndices selects maps', async () => {
  using device = await createDevice('reference');
  const config = { channels: 4, depths: [1, 1, 1, 1], groups: [1, 1, 1, 1] };
  const all = new InternImage(config);
  const some = new InternImage({ ...config, outIndices: [1, 3] });
  for (const model of [all, some]) model.initialize(device, 5);
  const x = device.tensor(new Float32Array(64 * 64 * 3).fill(0.25), [1, 64, 64, 3]);
  const maps = all.forward(x);
  const chosen = some.forward(x);
  expect(some.outChannels).toEqual([8, 32]);
  expect(chosen.map((map) => map.shape)).toEqual([
    [1, 8, 8, 8],
    [1, 2, 2, 32],
  ]);
  expect(await chosen[1]!.readFloat64()).toEqual(await maps[3]!.readFloat64());
});

test('resPostNorm is ignored with a layer scale, as in the original', async () => {
  using device = await createDevice('reference');
  const config = { channels: 4, depths: [1], groups: [1], layerScale: 0.5 };
  const plain = new InternImage(config);
  const both = new InternImage({ ...config, resPostNorm: true });
  for (const model of [plain, both]) model.initialize(device, 6);
  const x = device.tensor(new Float32Array(16 * 16 * 3).fill(0.25), [1, 16, 16, 3]);
  const [a] = plain.forward(x);
  const [b] = both.forward(x);
  expect(await b!.readFloat64()).toEqual(await a!.readFloat64());
  expect([...both.namedParameters()].length - [...plain.namedParameters()].length).toBe(4);
});

test.each([
  [{ channels: 7 }, 'backbone.channels: expected an even positive integer, got 7'],
  [{ depths: [1, 0, 1, 1] }, 'backbone.depths: expected positive integers, got [1, 0, 1, 1]'],
  [{ groups: [4, 8, 16] }, 'backbone.groups: expected 4 entries (one per stage), got 3'],
  [{ groups: [4, 8, 16, 3] }, 'stage 3 has 512 channels, which 3 groups do not divide'],
  [{ outIndices: [4] }, 'backbone.outIndices: expected stages 0 to 3, got [4]'],
  [{ dwKernelSize: 4 }, 'backbone.dwKernelSize: expected an odd positive integer or null, got 4'],
] as const)('a configuration that does not fit is refused: %o', (change, message) => {
  expect(() => new InternImage({ ...variants.T, ...change } as InternImageConfig)).toThrow(message);
});
