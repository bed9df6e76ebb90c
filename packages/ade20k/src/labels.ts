import ndarray, { type NdArray } from 'ndarray';
import { IGNORE_INDEX, labelValues } from '@ii/tensor/image';

/**
 * From annotation values to class ids: 0 (unlabelled) becomes 255, k becomes k − 1, and 255 stays 255. This is
 * mmsegmentation's `reduce_zero_label`.
 *
 * @param annotation `Uint8 [H, W]` as stored in the annotation files, any strides.
 * @returns A new contiguous map `[H, W]`.
 * @throws ShapeError if the map is not `[H, W]`; DTypeError if its elements are not integers of 8 or 16 bits.
 */
export function reduceZeroLabel(annotation: NdArray<Uint8Array>): NdArray<Uint8Array> {
  const values = labelValues(annotation, 'reduceZeroLabel');
  const reduced = values.map((value) => (value === 0 || value === IGNORE_INDEX ? IGNORE_INDEX : value - 1));
  return ndarray(reduced, [...annotation.shape]);
}
