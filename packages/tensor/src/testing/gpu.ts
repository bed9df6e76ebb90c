import { IIError } from '../errors.js';
import { dawnWithFlags } from './node.js';

/** Dawn crashes when a `GPU` is collected while a device of it is in use. */
const kept: GPU[] = [];

/**
 * A GPU device of the caller's own with WebGPU's default limits, to hand to `createDevice` and to destroy: of
 * `navigator.gpu` in a browser; of Dawn, the package `webgpu`, in Node.
 *
 * @param features asked for where the adapter offers them.
 * @throws IIError when there is no adapter.
 */
export async function ownGpuDevice(features: readonly GPUFeatureName[] = []): Promise<GPUDevice> {
  const gpu = globalThis.navigator?.gpu ?? (await dawnWithFlags()) ?? (await dawn());
  kept.push(gpu);
  const compatibility: object = { featureLevel: 'compatibility' };
  const adapter = (await gpu.requestAdapter()) ?? (await gpu.requestAdapter(compatibility));
  if (!adapter) throw new IIError('ERR_PLATFORM', 'there is no GPU adapter here');
  return adapter.requestDevice({ requiredFeatures: features.filter((name) => adapter.features.has(name)) });
}

async function dawn(): Promise<GPU> {
  const name = 'webgpu';
  const { create } = (await import(/* @vite-ignore */ name)) as { create(flags: readonly string[]): GPU };
  return create([]);
}
