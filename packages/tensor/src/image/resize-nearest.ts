import ndarray, { type NdArray } from 'ndarray';
import { labelValues, requireSize, type LabelMap, type Size } from './host-image.js';

/** Source index of every output index: `floor(x · in / out)`, never past the last, as OpenCV computes it. */
function nearestIndices(inSize: number, outSize: number): Int32Array {
  const scale = 1 / (outSize / inSize);
  return Int32Array.from({ length: outSize }, (_, out) => Math.min(Math.floor(out * scale), inSize - 1));
}

/**
 * Nearest-neighbour resize of a label map, equal to OpenCV's `resize` with `INTER_NEAREST`: top-left pixel rule, no
 * half-pixel centres. The result is always a new map with the element type of `labels`.
 *
 * @param labels `[H, W]`, any strides.
 * @param size `[height, width]` of the result.
 * @throws ShapeError if the map is not `[H, W]` or the size is not two positive integers.
 */
export function resizeNearest<T extends Uint8Array | Uint16Array>(labels: LabelMap<T>, size: Size): NdArray<T> {
  requireSize(size, 'resizeNearest');
  const source = labelValues(labels, 'resizeNearest');
  const [height, width] = labels.shape as [number, number];
  const [outHeight, outWidth] = size;
  const length = outHeight * outWidth;
  const target = source instanceof Uint8Array ? new Uint8Array(length) : new Uint16Array(length);
  const columns = nearestIndices(width, outWidth);
  const rows = nearestIndices(height, outHeight);
  let out = 0;
  for (let y = 0; y < outHeight; y++) {
    const start = rows[y]! * width;
    for (let x = 0; x < outWidth; x++) target[out++] = source[start + columns[x]!]!;
  }
  return ndarray(target as T, [outHeight, outWidth]);
}
