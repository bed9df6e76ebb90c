import { Device } from './device.js';
import { DeviceUnavailableError, IIError } from './errors.js';

export const deviceNames = ['reference', 'wasm'] as const;

/** `reference`: plain f64 loops, the oracle. `wasm`: SIMD kernels on the CPU. */
export type DeviceName = (typeof deviceNames)[number];

export interface DeviceOptions {
  /**
   * Worker threads of the `wasm` device. Default: as many as the machine runs in parallel, at most 16. 0 runs kernels
   * on the calling thread, which is also what happens where shared memory is not available.
   */
  readonly threads?: number;
  /**
   * Bytes of prepared (packed, transformed) weights that the `wasm` device keeps in its 4 GiB of memory; weights beyond
   * are brought in from the host and prepared each time they are used. Default: 2 GiB, more than XL needs.
   */
  readonly weightBudget?: number;
}

/**
 * Makes a device. `auto`, the default, takes the fastest one that works here; `device.selection` says which it is and
 * why.
 *
 * @throws DeviceUnavailableError when the device asked for does not exist or does not work here.
 */
export async function createDevice(name: DeviceName | 'auto' = 'auto', options: DeviceOptions = {}): Promise<Device> {
  const { threads, weightBudget = 2 ** 31 } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 0 && threads <= 64)) {
    throw new IIError('ERR_OPTION', `threads: expected an integer from 0 to 64, got ${threads}`);
  }
  if (name === 'reference') {
    const { ReferenceBackend } = await import('./backends/reference/backend.js');
    return new Device(new ReferenceBackend(), 'reference: plain loops in f64, asked for');
  }
  if (name !== 'auto' && name !== 'wasm') {
    throw new DeviceUnavailableError(String(name), `expected one of auto, ${deviceNames.join(', ')}`);
  }
  if (typeof WebAssembly === 'undefined') {
    throw new DeviceUnavailableError('wasm', 'this platform has no WebAssembly');
  }
  const { WasmBackend } = await import('./backends/wasm/backend.js');
  const { backend, reason } = await WasmBackend.start({ threads: threads ?? parallelism(), weightBudget });
  return new Device(backend, `wasm: ${reason}`);
}

function parallelism(): number {
  const node = globalThis.process?.getBuiltinModule?.('node:os');
  const count = node?.availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
  return Math.min(count, 16);
}
