/** What tests of the GPU device share that open devices of their own. */
import { afterEach, test } from 'vitest';
import { createDevice, type DeviceOptions } from '../src/create-device.js';
import type { Device } from '../src/device.js';
import { devices } from '../src/testing/index.js';
import { dawnWithFlags } from '../src/testing/node.js';

const [probe] = await devices([{ title: 'webgpu', name: 'webgpu', options: {} }]);
probe!.device?.dispose();

/** A test that is skipped, with the reason, where there is no GPU device. */
export const gpuTest = (title: string, body: () => Promise<void>): void =>
  test(title, async (context) => {
    if (probe!.reason !== undefined) context.skip(probe!.reason);
    await body();
  });

let opened: Device[] = [];

/** A GPU device for one test. */
export async function openGpu(options: DeviceOptions = {}): Promise<Device> {
  const gpu = await dawnWithFlags();
  const device = await createDevice('webgpu', { ...(gpu && { gpu }), ...options });
  opened.push(device);
  return device;
}

afterEach(() => {
  for (const device of opened) device.dispose();
  opened = [];
});
