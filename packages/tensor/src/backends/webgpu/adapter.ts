/** Finds a GPU: the platform's WebGPU, an adapter, a device with the limits and features that kernels can use. */
import { DeviceUnavailableError } from '../../errors.js';
import type { TuningTable } from '../../launches.js';
import type { WebGpuMachine } from './program.js';

export interface WebGpuOptions {
  /**
   * A device of the caller's own, for sharing buffers and textures with other work; it is never destroyed by us. In Node
   * its `GPU` object must stay reachable: Dawn crashes when it is collected before the device.
   */
  readonly gpuDevice?: GPUDevice | undefined;
  /** Asked for an adapter. Default: `navigator.gpu`, and in Node the optional package `webgpu`. */
  readonly gpu?: GPU | undefined;
  /** Passed to `requestAdapter`. Default: left to the browser. */
  readonly powerPreference?: GPUPowerPreference | undefined;
  /**
   * How the `webgpu` device stores the weights of matrix products and convolutions. `f16` halves their memory and traffic and
   * rounds them to 11 bits, beyond ±65504 to infinity; sums stay f32, and so do the transformed weights of Winograd's
   * algorithm, which would lose more. For inference. Default: `f32`.
   */
  readonly weightStorage?: 'f32' | 'f16' | undefined;
  /**
   * How the `webgpu` device stores the results of operators. `f16` halves their memory and traffic: results are computed in
   * f32, as are all sums, and rounded to 11 bits when they are stored, beyond ±65504 to that (so that `checkNumerics` finds
   * NaNs only). Uploaded tensors, rows that are no multiple of four long (the logits of 150 classes), results of the
   * operators that do not take part and whatever is computed in `record`, its backward pass and `inFullPrecision` stay f32;
   * a tensor's dtype is f32 as ever. Needs no feature of the device. Default: `f32`.
   */
  readonly activationStorage?: 'f32' | 'f16' | undefined;
  /** Launch parameters from `device.tune`. Default: estimates. */
  readonly tuning?: TuningTable | undefined;
}

/** What kernels run on, and how it was found. */
export interface AcquiredGpu {
  readonly device: GPUDevice;
  /** Whether the device was made here, and so is destroyed here. */
  readonly owned: boolean;
  readonly machine: WebGpuMachine;
  /** The adapter in its own words, for tuning tables. */
  readonly adapter: string;
  /** For a person: the adapter and what it can do. */
  readonly description: string;
}

/** Limits that are raised to what the adapter has; all others stay at WebGPU's defaults. */
const raisedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
] as const;

const usedFeatures = ['shader-f16', 'subgroups', 'timestamp-query'] as const;

/** Names by which software rasterisers describe themselves. */
const softwareNames = /swiftshader|llvmpipe|lavapipe|softpipe|microsoft basic render|\bwarp\b/i;

/**
 * @throws DeviceUnavailableError that says what is missing: the API, the package, an adapter, or the device.
 */
export async function acquireGpu(options: WebGpuOptions): Promise<AcquiredGpu> {
  if (options.gpuDevice) {
    const { gpuDevice: device } = options;
    return { device, owned: false, ...describe(device, device.adapterInfo, "the caller's device, ") };
  }
  const gpu = options.gpu ?? (await platformGpu());
  const adapter = await findAdapter(gpu, options.powerPreference);
  const requiredLimits: Record<string, number> = {};
  for (const name of raisedLimits) {
    const value = adapter.limits[name];
    if (value !== undefined) requiredLimits[name] = value;
  }
  const requiredFeatures = usedFeatures.filter((name) => adapter.features.has(name));
  let device: GPUDevice;
  try {
    device = await adapter.requestDevice({ requiredFeatures, requiredLimits });
  } catch (error) {
    throw new DeviceUnavailableError('webgpu', `the adapter gave no device (${message(error)})`);
  }
  return { device, owned: true, ...describe(device, adapter.info, '') };
}

async function findAdapter(gpu: GPU, powerPreference: GPUPowerPreference | undefined): Promise<GPUAdapter> {
  const preference = powerPreference && { powerPreference };
  let failure = '';
  for (const level of [{}, { featureLevel: 'compatibility' }]) {
    try {
      const adapter = await gpu.requestAdapter({ ...preference, ...level });
      if (adapter) return adapter;
    } catch (error) {
      failure = `: ${message(error)}`;
    }
  }
  throw new DeviceUnavailableError(
    'webgpu',
    `no adapter was found${failure} (is there a GPU with a Vulkan, Metal or Direct3D 12 driver, and is it not blocked?)`,
  );
}

interface DawnPackage {
  create(flags: readonly string[]): GPU;
}

/** Stays reachable as long as the process runs: Dawn crashes when it is collected while anything of it is in use. */
let dawn: GPU | null = null;

async function platformGpu(): Promise<GPU> {
  const { navigator, process } = globalThis as {
    readonly navigator?: { readonly gpu?: GPU };
    readonly process?: { readonly versions?: { readonly node?: string } };
  };
  if (navigator?.gpu) return navigator.gpu;
  if (!process?.versions?.node) {
    throw new DeviceUnavailableError(
      'webgpu',
      'this browser has no WebGPU, or the page is not in a secure context (https or localhost)',
    );
  }
  // The name is not a literal, so that bundlers of browser code leave the optional package alone.
  const name = 'webgpu';
  try {
    const { create } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as DawnPackage;
    return (dawn ??= create([]));
  } catch (error) {
    throw new DeviceUnavailableError(
      'webgpu',
      `the optional package 'webgpu' cannot be loaded; npm install webgpu (${message(error)})`,
    );
  }
}

function describe(
  device: GPUDevice,
  info: GPUAdapterInfo | undefined,
  whose: string,
): Pick<AcquiredGpu, 'machine' | 'adapter' | 'description'> {
  const machine = machineOf(device, info);
  const names = [info?.vendor, info?.architecture, info?.description, info?.device].filter((name) => name);
  const software = info?.isFallbackAdapter === true || softwareNames.test(names.join(' '));
  // Some drivers describe only themselves, and the GPU by the device's name.
  const title =
    [info?.device, info?.description].filter((name) => name).join(', ') ||
    [info?.vendor, info?.architecture].filter((name) => name).join(' ') ||
    'a GPU';
  const traits = [
    ...(software ? ['software rasteriser'] : []),
    machine.f16 ? 'f16' : 'no f16',
    machine.subgroups ? 'subgroups' : 'no subgroups',
  ];
  return {
    machine: { ...machine, software },
    adapter: names.join(', ') || 'unknown',
    description: `${whose}${title} (${traits.join(', ')})`,
  };
}

function machineOf(device: GPUDevice, info: GPUAdapterInfo | undefined): WebGpuMachine {
  const { limits, features } = device;
  const subgroups = features.has('subgroups');
  return {
    f16: features.has('shader-f16'),
    weightStorage: 'f32',
    subgroups,
    minSubgroupSize: (subgroups && info?.subgroupMinSize) || 0,
    maxSubgroupSize: (subgroups && info?.subgroupMaxSize) || 0,
    maxBindingBytes: Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize),
    maxStorageBuffers: limits.maxStorageBuffersPerShaderStage,
    maxWorkgroupBytes: limits.maxComputeWorkgroupStorageSize,
    maxInvocations: limits.maxComputeInvocationsPerWorkgroup,
    maxWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    vendor: info?.vendor.toLowerCase() ?? '',
    architecture: info?.architecture.toLowerCase() ?? '',
  };
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
