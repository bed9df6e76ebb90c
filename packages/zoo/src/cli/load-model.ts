import { IIError, StateDictError } from '@ii/tensor';
import { createUperNet, type Segmentor } from '@ii/upernet';
import type { ChosenModel } from './choose-model.js';
import { deviceOptions, type DeviceFlags } from './device-flags.js';
import type { Session } from './session.js';

/** Makes the device and puts the weights of a chosen model on it. */
export async function loadModel(
  { title, config, checkpoint, weights }: ChosenModel,
  flags: DeviceFlags,
  { progress, signal }: Session,
): Promise<Segmentor> {
  try {
    return await createUperNet(config, {
      ...(checkpoint && { weights: checkpoint.tensors }),
      ...(weights.kind === 'untrained' && { seed: weights.seed }),
      ...deviceOptions(flags),
      device: flags.device,
      signal,
      onProgress: ({ loaded, total }) => progress.show('loading weights', loaded, total),
    });
  } catch (error) {
    if (!(error instanceof StateDictError) || !checkpoint) throw error;
    throw new IIError(error.code, `'${checkpoint.name}' and ${title}: ${error.message}`, { cause: error });
  } finally {
    progress.clear();
  }
}
