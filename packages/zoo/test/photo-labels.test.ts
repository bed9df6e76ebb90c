/** A photo through a small checkpoint gives the same labels on every device. In Node and in a browser. */
import { afterAll, expect, test } from 'vitest';
import { devices, goldenStateDict, loadGolden } from '@ii/tensor/testing';
import { decodeBlob, type RgbInput } from '@ii/tensor/image';
import { createUperNet } from '@ii/upernet';

const photoUrl = new URL('../../ade20k/test/fixtures/ade20k-sample/ADE_val_00000001.jpg', import.meta.url);
const goldenUrl = new URL('../../upernet/test/fixtures/golden/upernet.json', import.meta.url);

async function photo(): Promise<RgbInput> {
  if (photoUrl.protocol !== 'file:') return decodeBlob(await (await fetch(photoUrl)).blob());
  const { decodeImage } = await import('../src/images/index.js');
  const { fileURLToPath } = await import('node:url');
  return decodeImage(fileURLToPath(photoUrl));
}

const [cpu, gpu] = await devices([
  { title: 'wasm', name: 'wasm', options: { threads: 1 } },
  { title: 'webgpu', name: 'webgpu', options: {} },
]);
afterAll(() => [cpu, gpu].forEach((made) => made?.device?.dispose()));

// A software GPU takes its time to compile a model's shaders.
test('webgpu labels at least 99.9 % of the pixels as wasm does', { timeout: 300_000 }, async (context) => {
  if (!gpu?.device) return context.skip(gpu!.reason);
  const golden = await loadGolden(goldenUrl);
  const config = {
    backbone: { channels: 8, depths: [1, 1, 2, 1], groups: [1, 2, 4, 8], layerScale: 1 },
    decodeHead: { channels: 32 },
    auxiliaryHead: { channels: 16 },
  };
  const image = await photo();
  const maps = [];
  for (const { device } of [cpu!, gpu]) {
    using model = await createUperNet(config, { device: device!, weights: goldenStateDict(golden.case('eval')) });
    maps.push((await model.segment(image, { scale: [160, 96] })).labels);
  }
  const [expected, labels] = maps;
  expect(labels!.shape).toEqual([512, 683]);
  const same = labels!.data.filter((label, i) => label === expected!.data[i]).length;
  expect(same / labels!.data.length).toBeGreaterThanOrEqual(0.999);
  expect(new Set(expected!.data).size).toBeGreaterThan(5);
});
