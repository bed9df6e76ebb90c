import {
  inProcess,
  loadBatches,
  shuffledSampler,
  type LoadedBatch,
  type Sample,
  type SampleRef,
  type SegmentationDataset,
} from '@ii/ade20k';
import { BatchError, countLabelled } from './batch.js';
import type { TrainingPlan } from './plan.js';

/** Batches without a labelled pixel that are left out in a row before the run fails. */
const MAX_EMPTY = 10;

export interface TrainingBatchesOptions {
  readonly dataset: SegmentationDataset;
  readonly plan: TrainingPlan;
  /** Samples drawn before. */
  readonly drawn: number;
  /** Loads and transforms a sample. Default: in this thread. */
  readonly load?: ((ref: SampleRef) => Promise<Sample>) | undefined;
  readonly onError?: 'throw' | 'skip' | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly warn: (message: string) => void;
}

/**
 * The endless batches of a run, in the order of its seed, loaded ahead. A batch without a labelled pixel teaches nothing
 * and is left out.
 *
 * @throws BatchError for labels that are no classes, and after ten empty batches in a row; what the loader throws.
 */
export async function* trainingBatches(options: TrainingBatchesOptions): AsyncGenerator<LoadedBatch, void, void> {
  const { dataset, plan, drawn, onError = 'throw', signal, warn } = options;
  const { seed, batchSize, transforms, model } = plan;
  const batches = loadBatches({
    sampler: shuffledSampler(dataset.length, { seed, drawn }),
    load: options.load ?? inProcess({ dataset, transforms, seed }),
    ...{ batchSize, onError },
    onSkip: ({ message }) => warn(`left out: ${message}`),
    ...(signal && { signal }),
  });
  let empty = 0;
  for await (const batch of batches) {
    if (countLabelled(batch, model.numClasses) > 0) {
      empty = 0;
      yield batch;
      continue;
    }
    const what = `no labelled pixel in a batch of ${batch.names.join(', ')}: all are 255 (ignored) behind the transforms`;
    if (++empty >= MAX_EMPTY) {
      throw new BatchError(`${what}; so were the ${MAX_EMPTY - 1} batches before: check the annotations and "labels"`);
    }
    warn(`left out: ${what}`);
  }
}
