import type { LoadedBatch } from '@ii/ade20k';
import { IIError } from '@ii/tensor';
import { IGNORE_INDEX } from '@ii/tensor/image';
import type { TrainingPlan } from './plan.js';

/** A batch that cannot be trained on. */
export class BatchError extends IIError {
  constructor(message: string) {
    super('ERR_BATCH', message);
  }
}

/**
 * Counts the labelled pixels of a batch.
 *
 * @throws BatchError, naming the photos, when there are no labels, one is no class, or the images are not normalised.
 */
export function countLabelled({ images, labels, names }: LoadedBatch, numClasses: number): number {
  const photos = names.join(', ');
  if (!labels) throw new BatchError(`no annotations for ${photos}: training needs a data set with annotations`);
  if (!(images.data instanceof Float32Array)) {
    throw new BatchError(`the images of ${photos} are bytes: put { "type": "normalize" } into the transforms`);
  }
  let labelled = 0;
  const { data } = labels;
  for (let i = 0; i < data.length; i++) {
    const label = data[i]!;
    if (label < numClasses) labelled++;
    else if (label !== IGNORE_INDEX) {
      throw new BatchError(
        `label ${label} in the annotations of ${photos}; the model has ${numClasses} classes: expected 0 to ${numClasses - 1}, or ${IGNORE_INDEX} where ignored`,
      );
    }
  }
  return labelled;
}

/**
 * Refuses, before a run starts, batches for which batch norm has one value per channel only: it would subtract all there
 * is, and PyTorch refuses it, too.
 *
 * @param synchronized whether statistics are taken over several processes.
 */
export function requireBatchStatistics({ model, recipe, batchSize }: TrainingPlan, synchronized: boolean): void {
  if (batchSize > 1 || synchronized) return;
  const scales = model.decodeHead?.poolScales ?? [1, 2, 3, 6];
  const stride = 4 * 2 ** (model.backbone.depths.length - 1);
  const top = recipe.crop.map((side) => Math.ceil(side / stride)) as [number, number];
  if (!scales.includes(1) && top[0] * top[1] > 1) return;
  const pooled = scales.includes(1)
    ? 'the pyramid pooling over 1×1'
    : `the last map of 1×1 of a ${recipe.crop.join('×')} crop`;
  throw new BatchError(
    `batchSize is 1, and batch norm behind ${pooled} would have one value per channel: use batchSize 2 or more, with ` +
      `accumulate ${Math.max(Math.round(recipe.effectiveBatch / 2), 1)} for an effective batch of ${recipe.effectiveBatch}, or train ` +
      'in several processes with synchronised statistics',
  );
}
