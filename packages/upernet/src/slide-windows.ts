import { ShapeError } from '@ii/tensor';
import type { Size } from '@ii/tensor/image';

/** A part of a network's input, in pixels. */
export interface Window {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/**
 * The windows of mmsegmentation's `slide_inference`, row by row: from one to the next by `stride`, the last of a row or
 * column pushed back inside the map. A map smaller than `crop` has one window, as large as itself.
 *
 * @param size `[height, width]` of the map. @param crop of a window. @param stride from window to window.
 * @throws ShapeError unless all sides are whole numbers of at least 1 and `stride` is within `crop`: a larger one
 *   would leave pixels out.
 */
export function slideWindows(size: Size, crop: Size, stride: Size): Window[] {
  if (![...size, ...crop, ...stride].every((side) => Number.isInteger(side) && side >= 1)) {
    throw new ShapeError(
      `slide: sizes must be whole numbers of at least 1, got a map of ${size.join('×')}, crop ${crop.join('×')}, stride ${stride.join('×')}`,
    );
  }
  if (stride[0] > crop[0] || stride[1] > crop[1]) {
    throw new ShapeError(
      `slide: a stride of ${stride.join('×')} leaves gaps between windows of ${crop.join('×')}; it must not be larger`,
    );
  }
  const rows = starts(size[0], crop[0], stride[0]);
  const columns = starts(size[1], crop[1], stride[1]);
  const [height, width] = [Math.min(crop[0], size[0]), Math.min(crop[1], size[1])];
  return rows.flatMap((top) => columns.map((left) => ({ top, left, height, width })));
}

/** First pixels of the windows along one side. */
function starts(length: number, crop: number, stride: number): number[] {
  const count = Math.floor(Math.max(length - crop + stride - 1, 0) / stride) + 1;
  return Array.from({ length: count }, (_, i) => Math.max(Math.min(i * stride, length - crop), 0));
}
