import { createDevice, type DeviceName, type DeviceOptions } from '../create-device.js';
import type { Device } from '../device.js';
import { DeviceUnavailableError } from '../errors.js';
import { dawnWithFlags, environment } from './node.js';

/** One way of running everything. */
export interface DeviceEntry {
  /** For titles of tests. */
  readonly title: string;
  readonly name: DeviceName;
  readonly options: DeviceOptions;
}

/** The devices that every operator is tested on. */
export const deviceMatrix: readonly DeviceEntry[] = [
  { title: 'reference', name: 'reference', options: {} },
  { title: 'wasm, calling thread', name: 'wasm', options: { threads: 0 } },
  { title: 'wasm, 1 thread', name: 'wasm', options: { threads: 1 } },
  { title: 'wasm, 2 threads', name: 'wasm', options: { threads: 2 } },
  { title: 'webgpu', name: 'webgpu', options: {} },
];

/** An entry with its device, or with the reason why there is none here. */
export type MadeDevice = DeviceEntry &
  ({ readonly device: Device; readonly reason?: undefined } | { readonly device?: undefined; readonly reason: string });

/**
 * Makes the devices of a matrix (default: {@link deviceMatrix}); the caller disposes of them. A device that is not
 * available here comes back as the reason. The environment variable `II_DAWN_FLAGS` (with commas between them, for example
 * `backend=opengles`) goes to Dawn, which is WebGPU in Node.
 *
 * @throws DeviceUnavailableError for a device that the environment variable `II_REQUIRE_DEVICES` (names with commas
 * between them) says must work here.
 */
export async function devices(matrix: readonly DeviceEntry[] = deviceMatrix): Promise<MadeDevice[]> {
  const required = new Set((environment('II_REQUIRE_DEVICES') ?? '').split(',').map((name) => name.trim()));
  const made: MadeDevice[] = [];
  for (const entry of matrix) {
    try {
      const gpu = entry.name === 'webgpu' ? await dawnWithFlags() : undefined;
      made.push({ ...entry, device: await createDevice(entry.name, { ...(gpu && { gpu }), ...entry.options }) });
    } catch (error) {
      if (!(error instanceof DeviceUnavailableError) || required.has(entry.name)) {
        for (const { device } of made) device?.dispose();
        throw error;
      }
      made.push({ ...entry, reason: error.message });
    }
  }
  return made;
}

/** Whether a device is a GPU made of software, which takes seconds for what others do at once: test it with less. */
export const isSoftwareGpu = ({ selection }: Device): boolean => selection.includes('software rasteriser');

/** Whether a device is SwiftShader, which takes minutes for a step of training. */
export const isSwiftShader = ({ selection }: Device): boolean => /swiftshader/i.test(selection);

/** What {@link onEveryDevice} needs of a test runner; the functions of Vitest and of similar runners fit. */
export interface TestRunner {
  describe(title: string, body: () => void): unknown;
  test(title: string, body: (context: { skip(reason: string): void }) => unknown): unknown;
  afterAll(body: () => void): unknown;
}

/**
 * Declares a group of tests once per device. A device that is not available is a skipped test with the reason, or an
 * error where `II_REQUIRE_DEVICES` names it (see {@link devices}).
 *
 * @param body declares the tests; the device is disposed of after them.
 */
export async function onEveryDevice(
  { describe, test, afterAll }: TestRunner,
  body: (device: Device, entry: DeviceEntry) => void,
  matrix: readonly DeviceEntry[] = deviceMatrix,
): Promise<void> {
  for (const made of await devices(matrix)) {
    describe(made.title, () => {
      if (!made.device) {
        const { reason } = made;
        test('is available', (context) => context.skip(reason));
        return;
      }
      const { device } = made;
      afterAll(() => device.dispose());
      body(device, made);
    });
  }
}
