import { drawRectangles, openDataset, syntheticAde20k, type SegmentationDataset } from '@ii/ade20k';
import type { UperNetConfig } from '@ii/upernet';
import {
  planTraining,
  train,
  type TrainingEvent,
  type TrainingOptions,
  type TrainingPlan,
  type TrainingResult,
  type TrainOptions,
} from '../../src/training/index.js';

/** The classes of the made-up data. */
export const classNames = ['wall', 'building', 'sky', 'floor'] as const;

/** A network that takes a step in a fraction of a second, with everything that training has: drops, norms, both heads. */
export const tinyModel: UperNetConfig = {
  backbone: { channels: 8, depths: [1, 1, 1, 1], groups: [1, 2, 4, 8], layerScale: 1, dropPathRate: 0.2 },
  decodeHead: { channels: 8 },
  auxiliaryHead: { channels: 8 },
};

/** Pairs that are made up as they are read. */
export function pairs(split: 'training' | 'validation', count = 6): Promise<SegmentationDataset> {
  const access = syntheticAde20k({ count, size: [40, 48], draw: drawRectangles(classNames.length) });
  const folders = { images: `images/${split}`, annotations: `annotations/${split}` };
  return openDataset({ ...access, ...folders, classNames, labels: 'ade20k' });
}

/** A short run of the tiny model. */
export function tinyPlan(options: TrainingOptions = {}): TrainingPlan {
  const { recipe, ...others } = options;
  return planTraining({
    model: tinyModel,
    classNames,
    ...others,
    recipe: {
      ...{ iterations: 6, effectiveBatch: 2, crop: [32, 32], scale: [64, 32], warmupIterations: 2, lr: 1e-3 },
      ...{ logEvery: 2, checkpointEvery: 2, evaluateEvery: 4 },
      ...recipe,
    },
  });
}

export interface Ran {
  readonly events: readonly TrainingEvent[];
  readonly result: TrainingResult;
}

/** Runs to the end. */
export async function runToEnd(options: TrainOptions): Promise<Ran> {
  const events: TrainingEvent[] = [];
  const run = train(options);
  for (;;) {
    const { value, done } = await run.next();
    if (done) return { events, result: value };
    events.push(value);
  }
}
