/** A model that made its own device makes another. */
import ndarray from 'ndarray';
import { expect, test } from 'vitest';
import { DisposedError, createDevice } from '@ii/tensor';
import { randomNumbers } from '@ii/tensor/testing';
import { createUperNet, type Segmentor, type UperNetConfig } from '../src/index.js';

const tiny: UperNetConfig = {
  backbone: { channels: 8, depths: [1, 1, 1, 1], groups: [1, 2, 4, 8], layerScale: 1 },
  decodeHead: { channels: 16 },
  auxiliaryHead: null,
};
const photo = ndarray(Uint8Array.from(randomNumbers(24 * 40 * 3, { seed: 1, low: 0, high: 256 })), [24, 40, 3]);
const options = { scale: [64, 32], logits: true } as const;
const logitsOf = async (model: Segmentor): Promise<Float32Array> => (await model.segment(photo, options)).logits!.data;

test('recover makes a device like the first one, once for all who ask', async () => {
  const model = await createUperNet(tiny, { device: 'wasm', threads: 1, seed: 1 });
  const expected = await logitsOf(model);
  const first = model.device;
  first.dispose();
  await expect(model.segment(photo, options)).rejects.toThrow(DisposedError);
  await Promise.all([model.recover(), model.recover()]);
  const second = model.device;
  expect(second).not.toBe(first);
  expect(second.selection).toBe(first.selection);
  expect(await logitsOf(model)).toEqual(expected);
  await model.recover();
  expect(await logitsOf(model)).toEqual(expected);
  expect(() => second.tensor([1])).toThrow(DisposedError);
  model.dispose();
  expect(() => model.device.tensor([1])).toThrow(DisposedError);
  await expect(model.recover()).rejects.toThrow('this model was disposed of');
});

test('a model moves onto a device of the caller and leaves it there', async () => {
  const model = await createUperNet(tiny, { device: 'wasm', threads: 0, seed: 1 });
  const expected = await logitsOf(model);
  const own = model.device;
  using device = await createDevice('wasm', { threads: 2 });
  await model.recover(device);
  expect(await logitsOf(model)).toEqual(expected);
  expect(() => own.tensor([1])).toThrow(DisposedError);
  model.dispose();
  expect(device.memory()).toMatchObject({ tensors: 0, used: 0 });
});

test('a weight that changed on the device moves with it, and is lost with it', async () => {
  using device = await createDevice('wasm', { threads: 0 });
  using model = await createUperNet(tiny, { device: 'wasm', threads: 0, seed: 1 });
  const before = await logitsOf(model);
  const bias = [...model.network.namedParameters()].find(([name]) => name === 'decode_head.conv_seg.bias')![1];
  bias.replace(model.device.tensor(new Float32Array(150).fill(1)));
  model.release();
  const changed = await logitsOf(model);
  expect(changed).not.toEqual(before);
  await model.recover(device);
  expect(await logitsOf(model)).toEqual(changed);
  bias.replace(device.tensor(new Float32Array(150)));
  device.dispose();
  using other = await createDevice('wasm', { threads: 0 });
  await expect(model.recover(other)).rejects.toThrow(DisposedError);
});
