import ndarray, { type NdArray } from 'ndarray';
import { DTypeError, ShapeError } from '../errors.js';

/** Bytes of an image: clamped arrays, as a canvas gives them, are taken as well. */
export type ImageBytes = Uint8Array | Uint8ClampedArray;

/** A picture on the host: `[H, W, 3]`, RGB, 0 to 255, any strides. */
export type RgbImage = NdArray<Uint8Array>;

/** What functions here accept as a picture: `[H, W, 3]`, RGB, any strides (a view into RGBA bytes too). */
export type RgbInput = NdArray<ImageBytes>;

/** A label map on the host: `[H, W]` class ids, any strides. */
export type LabelMap<T extends Uint8Array | Uint16Array = Uint8Array | Uint16Array> = NdArray<T>;

/** Height and width in pixels, in this order. */
export type Size = readonly [height: number, width: number];

/** The label value that means "no class here" in ADE20K after label reduction, and in most other data sets. */
export const IGNORE_INDEX = 255;

/** A new contiguous `[H, W, 3]` image around `data`, or around zeros. */
export function rgbImage([height, width]: Size, data = new Uint8Array(height * width * 3)): RgbImage {
  return ndarray(data, [height, width, 3]);
}

/**
 * The bytes of `image` in row-major order with channels last. A contiguous image is not copied.
 *
 * @param caller Name of the calling function, for the error messages.
 * @throws ShapeError if the shape is not `[H, W, 3]` with H and W of at least 1.
 * @throws DTypeError if the elements are not bytes.
 */
export function rgbBytes(image: RgbInput, caller: string): Uint8Array {
  const [height = 0, width = 0, channels] = image.shape;
  if (image.dimension !== 3 || channels !== 3 || height < 1 || width < 1) {
    throw new ShapeError(`${caller}: expected an RGB image [H, W, 3], got [${image.shape.join(', ')}]`);
  }
  const { data, offset, stride } = image;
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    throw new DTypeError(`${caller}: expected an image of bytes (Uint8Array), got ${image.dtype}`);
  }
  const [strideY = 0, strideX = 0, strideC = 0] = stride;
  const size = height * width * 3;
  if (strideC === 1 && strideX === 3 && strideY === width * 3) {
    return new Uint8Array(data.buffer, data.byteOffset + offset, size);
  }
  const packed = new Uint8Array(size);
  let out = 0;
  for (let y = 0; y < height; y++) {
    let at = offset + y * strideY;
    for (let x = 0; x < width; x++, at += strideX) {
      packed[out++] = data[at]!;
      packed[out++] = data[at + strideC]!;
      packed[out++] = data[at + 2 * strideC]!;
    }
  }
  return packed;
}

/**
 * The ids of `labels` in row-major order. A contiguous map is not copied.
 *
 * @param caller Name of the calling function, for the error messages.
 * @throws ShapeError if the shape is not `[H, W]` with H and W of at least 1.
 * @throws DTypeError if the elements are neither Uint8 nor Uint16.
 */
export function labelValues<T extends Uint8Array | Uint16Array>(labels: LabelMap<T>, caller: string): T {
  const [height = 0, width = 0] = labels.shape;
  if (labels.dimension !== 2 || height < 1 || width < 1) {
    throw new ShapeError(`${caller}: expected a label map [H, W], got [${labels.shape.join(', ')}]`);
  }
  const { data, offset, stride } = labels;
  if (!(data instanceof Uint8Array || data instanceof Uint16Array)) {
    throw new DTypeError(`${caller}: expected labels of Uint8 or Uint16, got ${labels.dtype}`);
  }
  const [strideY = 0, strideX = 0] = stride;
  const size = height * width;
  if (strideX === 1 && strideY === width) return data.subarray(offset, offset + size) as T;
  const packed = data instanceof Uint8Array ? new Uint8Array(size) : new Uint16Array(size);
  let out = 0;
  for (let y = 0; y < height; y++) {
    let at = offset + y * strideY;
    for (let x = 0; x < width; x++, at += strideX) packed[out++] = data[at]!;
  }
  return packed as T;
}

/** @throws ShapeError unless both sides are integers of at least 1. */
export function requireSize(size: Size, caller: string): void {
  const [height, width] = size;
  if (!(Number.isInteger(height) && Number.isInteger(width) && height >= 1 && width >= 1)) {
    throw new ShapeError(`${caller}: expected a size [height, width] of whole pixels, got [${size.join(', ')}]`);
  }
}
