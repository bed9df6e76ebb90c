import type { NdArray } from 'ndarray';
import { DTypeError, type Random } from '@ii/tensor';
import type { RgbImage } from '@ii/tensor/image';
import type { Sample } from '../sample.js';
import type { TransformOptions } from './options.js';

/** A step from sample to sample. All chance comes from `random`; the argument is left as it is. */
export type Transform = (sample: Sample, random: Random) => Sample;

/** How a transform is made from its entry in a configuration. */
export interface TransformKind {
  /** True if it works on bytes, and so must come before `normalize`. */
  readonly onBytes: boolean;
  /** Reads and checks the options. */
  create(options: TransformOptions): Transform;
}

/** The sample's image as bytes. Throws DTypeError if it is normalised already. */
export function byteImage({ image, name }: Sample, transform: string): RgbImage {
  const { data } = image;
  if (!(data instanceof Uint8Array)) {
    throw new DTypeError(`${transform}: the image of ${name} is ${image.dtype}; expected bytes, before normalize`);
  }
  return image as RgbImage;
}

/** The same sample with another image and, where it has labels, other labels. */
export function withPixels(
  sample: Sample,
  image: RgbImage | NdArray<Float32Array>,
  labels: (labels: NdArray<Uint8Array>) => NdArray<Uint8Array>,
): Sample {
  return { ...sample, image, ...(sample.labels && { labels: labels(sample.labels) }) };
}

/** Applies one function to images of either element type. */
export function onEither<R extends RgbImage | NdArray<Float32Array>>(
  image: Sample['image'],
  apply: (image: NdArray<Uint8Array | Float32Array>) => NdArray<Uint8Array | Float32Array>,
): R {
  return apply(image as NdArray<Uint8Array | Float32Array>) as R;
}
