import type { NdArray } from 'ndarray';

/**
 * Copies an image `[H, W, C]` or map `[H, W]` of any strides into a row-major array.
 *
 * @param target an array of the same element type.
 * @param start index of the first pixel in `target`.
 * @param rowPixels pixels from one row of `target` to the next; the width of `source` or more.
 */
export function copyPixels<T extends Uint8Array | Float32Array>(
  source: NdArray<T>,
  target: T,
  start: number,
  rowPixels: number,
): void {
  const { data, offset } = source;
  const [height, width, channels = 1] = source.shape as [number, number, number?];
  const [strideY, strideX, strideC = 1] = source.stride as [number, number, number?];
  const rowLength = width * channels;
  const whole = strideX === channels && (channels === 1 || strideC === 1);
  for (let y = 0; y < height; y++) {
    let from = offset + y * strideY;
    let to = start + y * rowPixels * channels;
    if (whole) {
      target.set(data.subarray(from, from + rowLength), to);
      continue;
    }
    for (let x = 0; x < width; x++, from += strideX) {
      for (let c = 0; c < channels; c++) target[to++] = data[from + c * strideC]!;
    }
  }
}
