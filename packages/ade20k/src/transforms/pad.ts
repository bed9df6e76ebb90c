import ndarray, { type NdArray } from 'ndarray';
import { ShapeError } from '@ii/tensor';
import { IGNORE_INDEX, multipleOf, type Size } from '@ii/tensor/image';
import { copyPixels } from '../pixels.js';
import { onEither, withPixels, type TransformKind } from './transform.js';

/** mmsegmentation's `Pad`: fills up on the right and at the bottom. */
export interface PadConfig {
  readonly type: 'pad';
  /** `[height, width]` of the result. Either this or `divisor`. */
  readonly size?: readonly [height: number, width: number];
  /** Each side goes up to a multiple of this. */
  readonly divisor?: number;
  /** Value of the new pixels of the image, in each channel. Default 0: after `normalize`, the mean colour. */
  readonly imageValue?: number;
  /** Label of the new pixels. Default 255: ignored. */
  readonly labelValue?: number;
}

const PIXELS = { min: 1, whole: true };

export const pad: TransformKind = {
  onBytes: false,
  create(options) {
    const size = options.has('size') ? options.numbers('size', 2, PIXELS) : undefined;
    const divisor = options.has('divisor') ? options.number('divisor', 1, PIXELS) : undefined;
    const imageValue = options.number('imageValue', 0);
    const labelValue = options.number('labelValue', IGNORE_INDEX, { min: 0, max: 255, whole: true });
    if ((size === undefined) === (divisor === undefined)) {
      throw options.error('size', "[height, width], or 'divisor' a whole number; exactly one of them");
    }
    options.done("'size', 'divisor', 'imageValue', 'labelValue'");
    return (sample) => {
      const [height, width] = sample.image.shape as [number, number, number];
      const [outHeight, outWidth] = (size ?? multipleOf([height, width], divisor!)) as [number, number];
      if (outHeight < height || outWidth < width) {
        throw new ShapeError(
          `pad: ${sample.name} is ${width} × ${height} pixels, more than ${outWidth} × ${outHeight}; crop it before`,
        );
      }
      if (outHeight === height && outWidth === width) return sample;
      const target: Size = [outHeight, outWidth];
      return withPixels(
        sample,
        onEither(sample.image, (image) => padded(image, target, imageValue)),
        (labels) => padded(labels, target, labelValue),
      );
    };
  },
};

/** `source` (`[H, W]` or `[H, W, C]`) in the top left corner of a larger array filled with `value`. */
function padded<T extends Uint8Array | Float32Array>(source: NdArray<T>, size: Size, value: number): NdArray<T> {
  const shape = [...size, ...source.shape.slice(2)];
  const length = shape.reduce((product, side) => product * side, 1);
  const data = source.data instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length);
  data.fill(value);
  copyPixels(source, data as T, 0, size[1]);
  return ndarray(data as T, shape);
}
