/** Models outlive the GPU that they run on. In Node and in a browser. */
import ndarray from 'ndarray';
import { expect, test as everyTest } from 'vitest';
import { DeviceLostError, DisposedError, createDevice, type Device } from '@ii/tensor';
import { devices, ownGpuDevice, randomNumbers } from '@ii/tensor/testing';
import { createUperNet, type Segmentor, type UperNetConfig } from '../src/index.js';

const [probe] = await devices([{ title: 'webgpu', name: 'webgpu', options: {} }]);
probe!.device?.dispose();

const test = (title: string, body: () => Promise<void>): void =>
  everyTest(title, async (context) => {
    if (probe!.reason !== undefined) context.skip(probe!.reason);
    await body();
  });

const tiny: UperNetConfig = {
  backbone: { channels: 8, depths: [1, 1, 1, 1], groups: [1, 2, 4, 8], layerScale: 1 },
  decodeHead: { channels: 16 },
  auxiliaryHead: null,
};
const photo = ndarray(Uint8Array.from(randomNumbers(24 * 40 * 3, { seed: 1, low: 0, high: 256 })), [24, 40, 3]);
const options = { scale: [64, 32], logits: true } as const;
const logitsOf = async (model: Segmentor): Promise<Float32Array> => (await model.segment(photo, options)).logits!.data;

/** A device that can be lost. */
async function losable(): Promise<{ device: Device; gpuDevice: GPUDevice; lose: () => void }> {
  const gpuDevice = await ownGpuDevice();
  return { device: await createDevice('webgpu', { gpuDevice }), gpuDevice, lose: () => gpuDevice.destroy() };
}

// One test, since every device compiles all shaders anew.
test('two models on a GPU that is destroyed in mid-inference go on with the same weights on another one', async () => {
  const first = await losable();
  const { device } = first;
  const [a, b] = [await createUperNet(tiny, { device, seed: 1 }), await createUperNet(tiny, { device, seed: 2 })];
  const expected = [await logitsOf(a), await logitsOf(b)];
  expect(expected[0]).not.toEqual(expected[1]);

  const pending = [a, b, a].map((model) => model.segment(photo, options).catch((error: unknown) => error));
  first.lose();
  for (const error of await Promise.all(pending)) expect(error).toBeInstanceOf(DeviceLostError);
  await expect(a.segment(photo, options)).rejects.toThrow(/a Segmentor's recover\(\)/);
  await expect(a.recover()).rejects.toThrow('this model runs on a device of yours; make a new one');

  const next = await losable();
  const recovered = Promise.all([a, a, b].map((model) => model.recover(next.device)));
  // What is asked for meanwhile waits for the recovery.
  expect(await logitsOf(b)).toEqual(expected[1]);
  await recovered;
  expect(a.device).toBe(next.device);
  device.dispose();
  expect(await logitsOf(a)).toEqual(expected[0]);

  for (const model of [a, a]) model.dispose();
  expect(await logitsOf(b)).toEqual(expected[1]);
  await expect(a.recover(next.device)).rejects.toThrow(DisposedError);
  for (const model of [b, b]) model.dispose();
  expect(next.device.memory()).toMatchObject({ tensors: 0, used: 0 });
  // The models' device, and the GPU device under it, are still the caller's.
  using x = next.device.tensor([1, 2]);
  expect([...(await x.read())]).toEqual([1, 2]);
  next.device.dispose();
  await next.gpuDevice.queue.onSubmittedWorkDone();
  next.lose();
});
