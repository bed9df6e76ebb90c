import { ShapeError } from '@ii/tensor';
import { stackSamples, type Batch } from './batch.js';
import { loadSamples, type LoadedSample, type SampleLoaderOptions } from './load-samples.js';

/** Options of {@link loadBatches}. */
export interface BatchLoaderOptions extends SampleLoaderOptions {
  /** Samples per batch. */
  readonly batchSize: number;
  /** Leaves out a last batch that is not full. Default false. */
  readonly dropLast?: boolean;
}

/** A batch and where the sampler was. */
export interface LoadedBatch extends Batch {
  /** Epoch of the last sample. */
  readonly epoch: number;
  /** Samples drawn up to the end of this batch: the sampler's `drawn` to go on behind it. */
  readonly drawn: number;
}

/**
 * Loads batches ahead of their use. Which samples are in a batch depends on the sampler and on unusable entries, never
 * on timing.
 *
 * @throws what {@link loadSamples} throws; ShapeError if the samples of a batch differ in size.
 */
export async function* loadBatches(options: BatchLoaderOptions): AsyncGenerator<LoadedBatch, void, void> {
  const { batchSize, dropLast = false, prefetch = 2 * batchSize } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new ShapeError(`loadBatches: expected a batch size of at least 1, got ${batchSize}`);
  }
  let pending: LoadedSample[] = [];
  for await (const loaded of loadSamples({ ...options, prefetch })) {
    pending.push(loaded);
    if (pending.length < batchSize) continue;
    const full = pending;
    pending = [];
    yield batchOf(full);
  }
  if (pending.length > 0 && !dropLast) yield batchOf(pending);
}

function batchOf(loaded: readonly LoadedSample[]): LoadedBatch {
  const { epoch, drawn } = loaded.at(-1)!.ref;
  return { ...stackSamples(loaded.map(({ sample }) => sample)), epoch, drawn };
}
