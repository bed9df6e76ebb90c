/** Many inferences, and the official models from T to XL, on the CPU device. */
import ndarray from 'ndarray';
import { expect, test } from 'vitest';
import { variants } from '@ii/backbone';
import { createDevice } from '@ii/tensor';
import { randomNumbers } from '@ii/tensor/testing';
import { UperNet, createUperNet, type UperNetConfig } from '../src/index.js';
import { cheapWeights } from './support.js';

const photo = (height: number, width: number) =>
  ndarray(Uint8Array.from(randomNumbers(height * width * 3, { low: 0, high: 256 })), [height, width, 3]);

test('1,000 tiny inferences leave the device and the process as they were', { timeout: 240_000 }, async () => {
  const config: UperNetConfig = {
    backbone: { channels: 8, depths: [1, 1, 1, 1], groups: [1, 2, 4, 8], layerScale: 1 },
    decodeHead: { channels: 16 },
    numClasses: 10,
  };
  using model = await createUperNet(config, { device: 'wasm', threads: 2, seed: 1 });
  // Sizes change all the time, so that eager runs, captures and their ends all take part.
  const photos = [photo(20, 32), photo(20, 32), photo(32, 20), photo(24, 24)];
  const run = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await model.segment(photos[i % photos.length]!, { scale: [32, 32] });
  };
  await run(100);
  const before = model.device.memory();
  const rss = process.memoryUsage.rss();
  await run(1000);
  expect(model.device.memory()).toEqual(before);
  // Node's own heap breathes by some megabytes; one leaked 32×32 input a run would be 12.
  expect(process.memoryUsage.rss() - rss).toBeLessThan(40 << 20);
});

test.each(['T', 'S', 'B', 'L', 'XL'] as const)('%s runs at 64×64', { timeout: 240_000 }, async (variant) => {
  using device = await createDevice('wasm', { threads: 2 });
  const config = { backbone: variants[variant] };
  using model = await createUperNet(config, { device, weights: cheapWeights(new UperNet(config)) });
  const { labels, inputSize, logits } = await model.segment(photo(64, 64), { scale: [64, 64], logits: true });
  expect(inputSize).toEqual([64, 64]);
  expect(logits!.shape).toEqual([1, 16, 16, 150]);
  expect(logits!.data.every(Number.isFinite)).toBe(true);
  expect(new Set(logits!.data).size).toBeGreaterThan(1000);
  expect(labels.data.length).toBe(4096);
});
