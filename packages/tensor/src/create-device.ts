import type { WebGpuOptions } from './backends/webgpu/adapter.js';
import { Device } from './device.js';
import { DeviceUnavailableError, IIError } from './errors.js';

export const deviceNames = ['reference', 'wasm', 'webgpu'] as const;

/**
 * `reference`: plain f64 loops, the oracle. `wasm`: SIMD kernels on the CPU. `webgpu`: WGSL kernels on the GPU, in
 * browsers and, with the optional package `webgpu`, in Node.
 */
export type DeviceName = (typeof deviceNames)[number];

export interface DeviceOptions extends WebGpuOptions {
  /**
   * Worker threads of the `wasm` device. Default: as many as the machine runs in parallel, at most 16. 0 runs kernels
   * on the calling thread, which is also what happens where shared memory is not available.
   */
  readonly threads?: number;
  /**
   * Whether the `wasm` device uses SIMD that V8 has behind flags which it calls experimental: from Node 24 on, on x64,
   * vectors of 256 bits where the processor has them (`--experimental-wasm-revectorize`), with which products run at
   * about 1.8 times the speed, with the same results; in Node 20 fused multiply-adds
   * (`--experimental-wasm-relaxed-simd`), which others have in any case: 1.3 times. `true` sets the flags for all of the
   * process, from now on; a browser has to be started with them. Where they cannot be, the device says so in `selection`
   * and goes on without. Default: whether the process was started with them.
   */
  readonly experimentalSimd?: boolean;
  /**
   * Bytes of prepared (packed, transformed) weights that the `wasm` device keeps in its 4 GiB of memory; weights beyond
   * are brought in from the host and prepared each time they are used. Default: 2 GiB, more than XL needs.
   */
  readonly weightBudget?: number;
  /**
   * Whether equal work on equal data gives equal bits in every run: for training that is to be repeated exactly. The CPU
   * devices always compute so (for a given number of threads); on a GPU it makes the gradient of DCNv3 slower, the only
   * kernel that adds in no fixed order otherwise. Default: false.
   */
  readonly deterministic?: boolean;
}

/**
 * Makes a device. `auto`, the default, takes the fastest one that works here: `webgpu` where there is a GPU (and not
 * only a software rasteriser), else `wasm`; `device.selection` says which it is and why.
 *
 * @throws DeviceUnavailableError when the device asked for does not exist or does not work here.
 */
export async function createDevice(name: DeviceName | 'auto' = 'auto', options: DeviceOptions = {}): Promise<Device> {
  const { threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 0 && threads <= 64)) {
    throw new IIError('ERR_OPTION', `threads: expected an integer from 0 to 64, got ${threads}`);
  }
  for (const option of ['weightStorage', 'activationStorage'] as const) {
    const { [option]: storage = 'f32' } = options;
    if (storage !== 'f32' && storage !== 'f16') {
      throw new IIError('ERR_OPTION', `${option}: expected 'f32' or 'f16', got '${String(storage)}'`);
    }
  }
  if (name === 'reference') {
    const { ReferenceBackend } = await import('./backends/reference/backend.js');
    return new Device(new ReferenceBackend(), 'reference: plain loops in f64, asked for', options.deterministic);
  }
  if (name === 'wasm') return wasmDevice(options, '');
  if (name === 'webgpu') return webGpuDevice(options, true);
  if (name !== 'auto') {
    throw new DeviceUnavailableError(String(name), `expected one of auto, ${deviceNames.join(', ')}`);
  }
  try {
    return await webGpuDevice(options, false);
  } catch (error) {
    if (!(error instanceof DeviceUnavailableError)) throw error;
    return wasmDevice(options, `; ${error.message}`);
  }
}

async function wasmDevice(options: DeviceOptions, why: string): Promise<Device> {
  const { threads, weightBudget = 2 ** 31, experimentalSimd, deterministic } = options;
  if (typeof WebAssembly === 'undefined') {
    throw new DeviceUnavailableError('wasm', `this platform has no WebAssembly${why}`);
  }
  const { WasmBackend } = await import('./backends/wasm/backend.js');
  const { backend, reason } = await WasmBackend.start({
    threads: threads ?? parallelism(),
    weightBudget,
    experimentalSimd,
  });
  return new Device(backend, `wasm: ${reason}${why}`, deterministic);
}

/** @param software whether a software rasteriser will do: it is slower than `wasm`. */
async function webGpuDevice(options: DeviceOptions, software: boolean): Promise<Device> {
  const { acquireGpu } = await import('./backends/webgpu/adapter.js');
  const acquired = await acquireGpu(options);
  if (acquired.machine.software && acquired.owned && !software) {
    acquired.device.destroy();
    throw new DeviceUnavailableError('webgpu', `there is no GPU, only ${acquired.description}`);
  }
  const { WebGpuBackend } = await import('./backends/webgpu/backend.js');
  return new Device(new WebGpuBackend(acquired, options), `webgpu: ${acquired.description}`, options.deterministic);
}

function parallelism(): number {
  const node = globalThis.process?.getBuiltinModule?.('node:os');
  const count = node?.availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
  return Math.min(count, 16);
}
