import type { NdArray } from 'ndarray';
import { ShapeError, type Random } from '@ii/tensor';
import { IGNORE_INDEX } from '@ii/tensor/image';
import { onEither, withPixels, type TransformKind } from './transform.js';

/** mmsegmentation's `RandomCrop`. */
export interface RandomCropConfig {
  readonly type: 'randomCrop';
  /** `[height, width]` in pixels; an image that is smaller is kept whole on that side. */
  readonly size: readonly [height: number, width: number];
  /**
   * A crop must have two classes at least, none of them with this share of the labelled pixels or more; after 10 crops
   * that do not, the next is taken as it is. Default 1: any crop will do.
   */
  readonly catMaxRatio?: number;
}

/** Crops that are looked at before one is taken unseen. */
const TRIES = 10;

/** Whether a crop has two classes at least and none of them too large a share. */
function isVaried(labels: NdArray<Uint8Array>, catMaxRatio: number): boolean {
  const counts = new Uint32Array(256);
  const { data, offset } = labels;
  const [height, width] = labels.shape as [number, number];
  const [strideY, strideX] = labels.stride as [number, number];
  for (let y = 0; y < height; y++) {
    let at = offset + y * strideY;
    for (let x = 0; x < width; x++, at += strideX) counts[data[at]!]!++;
  }
  counts[IGNORE_INDEX] = 0;
  let [classes, largest, sum] = [0, 0, 0];
  for (const count of counts) {
    if (count > 0) classes++;
    if (count > largest) largest = count;
    sum += count;
  }
  return classes > 1 && largest / sum < catMaxRatio;
}

export const randomCrop: TransformKind = {
  onBytes: false,
  create(options) {
    const [cropHeight, cropWidth] = options.numbers('size', 2, { min: 1, whole: true }) as [number, number];
    const catMaxRatio = options.number('catMaxRatio', 1, { min: 0, max: 1 });
    options.done("'size', 'catMaxRatio'");
    return (sample, random) => {
      const [height, width] = sample.image.shape as [number, number, number];
      const { labels } = sample;
      if (labels === undefined && catMaxRatio < 1) {
        throw new ShapeError(
          `randomCrop: ${sample.name} has no labels to limit the share of a class in; drop catMaxRatio`,
        );
      }
      const crop = drawCrop([height, width], [cropHeight, cropWidth], random);
      let [top, left] = crop();
      const cut = <T extends Uint8Array | Float32Array>(map: NdArray<T>): NdArray<T> =>
        map
          .lo(...[top, left, 0].slice(0, map.dimension))
          .hi(...[Math.min(cropHeight, height), Math.min(cropWidth, width), 3].slice(0, map.dimension));
      if (labels !== undefined && catMaxRatio < 1) {
        for (let i = 0; i < TRIES && !isVaried(cut(labels), catMaxRatio); i++) [top, left] = crop();
      }
      return withPixels(sample, onEither(sample.image, cut), cut);
    };
  },
};

/** Draws top-left corners; each that fits is as likely as any other. */
function drawCrop(
  [height, width]: readonly [number, number],
  [cropHeight, cropWidth]: readonly [number, number],
  random: Random,
): () => [top: number, left: number] {
  return () => {
    const top = random.integer(Math.max(height - cropHeight, 0) + 1);
    const left = random.integer(Math.max(width - cropWidth, 0) + 1);
    return [top, left];
  };
}
