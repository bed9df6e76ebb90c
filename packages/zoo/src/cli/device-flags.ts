import { Option, type Command } from 'commander';
import { deviceNames, type DeviceName, type DeviceOptions } from '@ii/tensor';
import { parseThreads } from './options.js';

/** Where a model is to run. */
export interface DeviceFlags {
  readonly device: DeviceName | 'auto';
  readonly threads?: number;
  readonly experimentalSimd: boolean;
}

/** Adds the options that say where a model is to run. */
export function addDeviceFlags(command: Command): Command {
  return command
    .addOption(new Option('--device <name>', 'where to run').choices(['auto', ...deviceNames]).default('auto'))
    .option('--threads <n>', 'worker threads of the wasm device (default: one per core)', parseThreads)
    .option('--no-experimental-simd', 'leave SIMD that V8 calls experimental off, on the wasm device');
}

/** The options of a device as the flags say. */
export function deviceOptions({ threads, experimentalSimd }: DeviceFlags): DeviceOptions {
  return { experimentalSimd, ...(threads !== undefined && { threads }) };
}
