/** What tells the checkpoint of a training run from one of a model. */
import type { StateDict } from '@ii/tensor';

/** Key of the metadata of a training run's checkpoint, which holds where the run was. */
export const TRAINING_KEY = 'ii_training';

/** Stands before the names of the optimiser's tensors. */
export const OPTIMIZER_PREFIX = 'optimizer.';

/** The model's part of a training run's checkpoint. */
export function withoutOptimizer(tensors: StateDict): StateDict {
  return new Map([...tensors].filter(([name]) => !name.startsWith(OPTIMIZER_PREFIX)));
}
