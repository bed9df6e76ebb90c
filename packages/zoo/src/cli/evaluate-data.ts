/** The data of `ii evaluate`. */
import { createHash } from 'node:crypto';
import { DatasetError, openDataset, type LabelConvention, type SegmentationDataset } from '@ii/ade20k';
import { nodeAccess } from '../data/index.js';

/**
 * Opens the folder `ADEChallengeData2016` (or the one that it lies in), or any folder with `images` and `annotations`;
 * in both cases the files in `validation` below them, where there is such a folder.
 *
 * @throws DatasetError if a folder is missing or there is no photo.
 */
export async function openData(
  root: string,
  classNames: readonly string[],
  labels: LabelConvention,
): Promise<SegmentationDataset> {
  const access = nodeAccess(root);
  const exists = async (folder: string): Promise<boolean> => (await access.source.list(folder)) !== undefined;
  const release = 'ADEChallengeData2016';
  const base = (await exists(release)) ? `${release}/` : '';
  const split = (await exists(`${base}images/validation`)) ? '/validation' : '';
  const folders = { images: `${base}images${split}`, annotations: `${base}annotations${split}` };
  return openDataset({ ...access, ...folders, classNames, labels });
}

/** @throws DatasetError, naming the first photo that has no annotation, if there is one. */
export function requireAnnotations({ missingAnnotations }: SegmentationDataset): void {
  const [first, ...more] = missingAnnotations;
  if (first === undefined) return;
  const others = more.length > 0 ? ` (and ${more.length} more)` : '';
  throw new DatasetError(
    `no annotation for ${first}${others}: expected a .png of the same name in the folder of the annotations; --on-error skip leaves such photos out`,
  );
}

/** Tells data sets with other entries apart, wherever they lie. */
export function dataFingerprint(dataset: SegmentationDataset): string {
  const hash = createHash('sha256');
  for (let index = 0; index < dataset.length; index++) hash.update(`${dataset.pair(index).name}\n`);
  return hash.digest('hex').slice(0, 16);
}
