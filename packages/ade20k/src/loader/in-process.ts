import type { SegmentationDataset } from '../dataset/index.js';
import type { Sample } from '../sample.js';
import type { SampleRef } from '../sampler.js';
import { compose, type TransformConfig } from '../transforms/index.js';

/** What makes samples of a data set's entries. */
export interface SamplePipeline {
  readonly dataset: SegmentationDataset;
  /** Default: none. */
  readonly transforms?: readonly TransformConfig[];
  /** Seed of the transforms' chance. Default 0. */
  readonly seed?: number;
}

/**
 * A `load` for {@link loadSamples} and {@link loadBatches} that works in this thread, as in a page.
 *
 * @throws TransformConfigError if the transforms make no sense.
 */
export function inProcess({ dataset, transforms = [], seed = 0 }: SamplePipeline): (ref: SampleRef) => Promise<Sample> {
  const transform = compose(transforms);
  return async ({ index, epoch }) => transform(await dataset.load(index), { seed, epoch, index });
}
