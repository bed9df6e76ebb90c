/** Many inferences on the GPU. */
import ndarray from 'ndarray';
import { expect, test } from 'vitest';
import { devices, isSwiftShader, randomNumbers } from '@ii/tensor/testing';
import { createUperNet, type UperNetConfig } from '../src/index.js';

test('1,000 tiny inferences leave the memory of the GPU flat', { timeout: 240_000 }, async (context) => {
  const [made] = await devices([{ title: 'webgpu', name: 'webgpu', options: {} }]);
  if (!made?.device) return context.skip(made?.reason);
  using device = made.device;
  const config: UperNetConfig = {
    backbone: { channels: 8, depths: [1], groups: [1] },
    decodeHead: { channels: 8, poolScales: [1] },
    auxiliaryHead: null,
    numClasses: 6,
  };
  using model = await createUperNet(config, { device, seed: 1 });
  const photo = ndarray(Uint8Array.from(randomNumbers(8 * 8 * 3, { low: 0, high: 256 })), [8, 8, 3]);
  const run = async (count: number): Promise<string> => {
    let labels = '';
    for (let i = 0; i < count; i++) labels = (await model.segment(photo, { scale: [8, 8] })).labels.data.join();
    return labels;
  };
  const first = await run(20);
  const before = device.memory();
  // SwiftShader takes up to a tenth of a second for each, and so computes fewer.
  expect(await run(isSwiftShader(device) ? 250 : 1000)).toBe(first);
  expect(device.memory()).toEqual(before);
});
