import { openAde20k, type Ade20kSplit, type DatasetAccess, type SegmentationDataset } from '@ii/ade20k';
import { FormatError } from '@ii/tensor';
import { decodeImage } from '../images/index.js';
import { loadSharp } from '../images/sharp.js';
import { decodeAnnotation } from './decode-annotation.js';
import { nodeDirectory } from './node-directory.js';

/** Files below `root`, decoded as OpenCV would: what `openDataset` and `openAde20k` of `@ii/ade20k` need in Node. */
export function nodeAccess(root: string): DatasetAccess {
  return {
    source: nodeDirectory(root),
    decoder: {
      image: (bytes, name) => decodeImage(bytes, { name }),
      imageSize,
      annotation: async (bytes, name) => decodeAnnotation(bytes, name),
    },
  };
}

/**
 * Opens one split of `ADEChallengeData2016` on disk.
 *
 * @param root the folder itself, or the one that it lies in.
 * @throws DatasetError if the folders are missing or hold no photo.
 */
export function openAde20kFolder(root: string, split: Ade20kSplit): Promise<SegmentationDataset> {
  return openAde20k(nodeAccess(root), split);
}

/** From the header, after the EXIF orientation. */
async function imageSize(bytes: Uint8Array, name: string): Promise<[height: number, width: number]> {
  const sharp = await loadSharp();
  try {
    const { autoOrient } = await sharp(bytes, { limitInputPixels: false }).metadata();
    return [autoOrient.height, autoOrient.width];
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message.split('\n')[0]! : String(cause);
    throw new FormatError(`${name} is no readable image (${detail})`, { cause });
  }
}
