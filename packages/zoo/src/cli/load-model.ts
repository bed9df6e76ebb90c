import { IIError, StateDictError, type DeviceName } from '@ii/tensor';
import { createUperNet, type Segmentor } from '@ii/upernet';
import type { ChosenModel } from './choose-model.js';
import type { Session } from './session.js';

/** Where a model is to run. */
export interface DeviceFlags {
  readonly device: DeviceName | 'auto';
  readonly threads?: number;
}

/** Makes the device and puts the weights of a chosen model on it. */
export async function loadModel(
  { title, config, checkpoint, weights }: ChosenModel,
  { device, threads }: DeviceFlags,
  { progress, signal }: Session,
): Promise<Segmentor> {
  try {
    return await createUperNet(config, {
      ...(checkpoint && { weights: checkpoint.tensors }),
      ...(weights.kind === 'untrained' && { seed: weights.seed }),
      ...(threads !== undefined && { threads }),
      device,
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
