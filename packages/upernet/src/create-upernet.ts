import { Device, IIError, createDevice, type DeviceName, type LoadOptions, type StateDict } from '@ii/tensor';
import type { UperNetConfig } from './config.js';
import { Segmentor } from './segmentor.js';
import { UperNet } from './upernet.js';

export interface CreateUperNetOptions extends LoadOptions {
  /** A device of the caller's, which the model never disposes of, or the name of one to make. Default: `auto`. */
  readonly device?: Device | DeviceName | 'auto';
  /** Worker threads of a `wasm` device that is made. Default: as many as the machine runs in parallel. */
  readonly threads?: number;
  /**
   * Whether a `wasm` device that is made uses SIMD that V8 calls experimental; see `DeviceOptions.experimentalSimd` of
   * `@ii/tensor`.
   */
  readonly experimentalSimd?: boolean;
  /** A checkpoint's tensors under PyTorch's names. Give these or `seed`. */
  readonly weights?: StateDict;
  /** Untrained weights drawn from this seed: for tests and benchmarks; the labels mean nothing. */
  readonly seed?: number;
}

/**
 * Builds a model, makes its device and gives it its weights.
 *
 * ```ts
 * const model = await createUperNet(config, { weights });
 * const { labels } = await model.segment(image);
 * model.dispose();
 * ```
 *
 * @throws IIError when the configuration does not fit together, or neither or both of `weights` and `seed` are given;
 *   StateDictError when the weights do not fit; DeviceUnavailableError.
 */
export async function createUperNet(config: UperNetConfig, options: CreateUperNetOptions): Promise<Segmentor> {
  const { device: wanted = 'auto', threads, experimentalSimd, weights, seed, ...loading } = options;
  const network = new UperNet(config);
  if ((weights === undefined) === (seed === undefined)) {
    throw new IIError('ERR_OPTION', 'createUperNet: give either weights (a checkpoint) or seed (untrained weights)');
  }
  const deviceOptions = {
    ...(threads !== undefined && { threads }),
    ...(experimentalSimd !== undefined && { experimentalSimd }),
  };
  const makeDevice = wanted instanceof Device ? null : () => createDevice(wanted, deviceOptions);
  const device = wanted instanceof Device ? wanted : await makeDevice!();
  try {
    const report = weights ? await network.load(device, weights, loading) : null;
    if (seed !== undefined) network.initialize(device, seed);
    return new Segmentor(network, device, report, makeDevice);
  } catch (error) {
    network.dispose();
    if (makeDevice) device.dispose();
    throw error;
  }
}
