import { requireSize, rgbBytes, rgbImage, type RgbImage, type RgbInput, type Size } from './host-image.js';

/** Weights have 11 fractional bits, as in OpenCV. */
const WEIGHT_ONE = 2048;

/** For each output index: the two source indices (times `step`) and their integer weights. */
interface Taps {
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly weight0: Int32Array;
  readonly weight1: Int32Array;
}

/** Rounds to the nearest integer, halves to even: OpenCV's `cvRound`. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * At the border a column moves its whole weight to the edge pixel; a row keeps its weights and only clamps the indices.
 * The sum of weights is then the same, but each of the two row products is rounded by itself, so the bits can differ.
 */
function linearTaps(inSize: number, outSize: number, step: number, clampWeights: boolean): Taps {
  const taps: Taps = {
    from: new Int32Array(outSize),
    to: new Int32Array(outSize),
    weight0: new Int32Array(outSize),
    weight1: new Int32Array(outSize),
  };
  const scale = 1 / (outSize / inSize);
  const last = inSize - 1;
  for (let out = 0; out < outSize; out++) {
    let position = Math.fround((out + 0.5) * scale - 0.5);
    let index = Math.floor(position);
    position = Math.fround(position - index);
    if (clampWeights && (index < 0 || index >= last)) {
      index = index < 0 ? 0 : last;
      position = 0;
    }
    taps.from[out] = Math.min(Math.max(index, 0), last) * step;
    taps.to[out] = Math.min(Math.max(index + 1, 0), last) * step;
    taps.weight0[out] = roundHalfEven(Math.fround(1 - position) * WEIGHT_ONE);
    taps.weight1[out] = roundHalfEven(position * WEIGHT_ONE);
  }
  return taps;
}

/** Interpolates one source row to the output width; the low 4 bits are dropped, as the vertical pass wants it. */
function resizeRow(source: Uint8Array, rowStart: number, columns: Taps, row: Int32Array): void {
  const { from, to, weight0, weight1 } = columns;
  for (let x = 0, out = 0; x < from.length; x++, out += 3) {
    const a = rowStart + from[x]!;
    const b = rowStart + to[x]!;
    const wa = weight0[x]!;
    const wb = weight1[x]!;
    row[out] = (Math.imul(source[a]!, wa) + Math.imul(source[b]!, wb)) >> 4;
    row[out + 1] = (Math.imul(source[a + 1]!, wa) + Math.imul(source[b + 1]!, wb)) >> 4;
    row[out + 2] = (Math.imul(source[a + 2]!, wa) + Math.imul(source[b + 2]!, wb)) >> 4;
  }
}

/** The vertical pass: one output row from the two rows around it. */
function blendRows(top: Int32Array, bottom: Int32Array, w0: number, w1: number, target: Uint8Array, at: number): void {
  for (let x = 0; x < top.length; x++) {
    target[at + x] = ((Math.imul(top[x]!, w0) >> 16) + (Math.imul(bottom[x]!, w1) >> 16) + 2) >> 2;
  }
}

/** Both sides exactly halved: OpenCV takes the rounded mean of each 2 × 2 block instead. */
function halve(source: Uint8Array, width: number, target: Uint8Array, [outHeight, outWidth]: Size): void {
  const rowBytes = width * 3;
  let out = 0;
  for (let y = 0; y < outHeight; y++) {
    let at = 2 * y * rowBytes;
    for (let x = 0; x < outWidth; x++, at += 6) {
      for (let c = at; c < at + 3; c++) {
        target[out++] = (source[c]! + source[c + 3]! + source[c + rowBytes]! + source[c + rowBytes + 3]! + 2) >> 2;
      }
    }
  }
}

/**
 * Bilinear resize, equal to the last bit to OpenCV's `resize` of 8-bit images with `INTER_LINEAR`: half-pixel centres,
 * no antialiasing, 11-bit integer weights, and its special case for exact halving. The result is always a new image.
 *
 * @param image `[H, W, 3]`, any strides.
 * @param size `[height, width]` of the result.
 * @throws ShapeError if the image is not `[H, W, 3]` or the size is not two positive integers.
 */
export function resizeLinear(image: RgbInput, size: Size): RgbImage {
  requireSize(size, 'resizeLinear');
  const source = rgbBytes(image, 'resizeLinear');
  const [height, width] = image.shape as [number, number, number];
  const [outHeight, outWidth] = size;
  if (outHeight === height && outWidth === width) return rgbImage(size, source.slice());
  const target = new Uint8Array(outHeight * outWidth * 3);
  if (outHeight * 2 === height && outWidth * 2 === width) {
    halve(source, width, target, size);
    return rgbImage(size, target);
  }

  const columns = linearTaps(width, outWidth, 3, true);
  const rows = linearTaps(height, outHeight, width * 3, false);
  const rowLength = outWidth * 3;
  // Two horizontally resized rows are kept: going down, the lower row of one output row is often the upper of the next.
  let top = new Int32Array(rowLength);
  let bottom = new Int32Array(rowLength);
  let topStart = -1;
  let bottomStart = -1;
  for (let y = 0; y < outHeight; y++) {
    const from = rows.from[y]!;
    const to = rows.to[y]!;
    if (from !== topStart) {
      if (from === bottomStart) {
        [top, bottom] = [bottom, top];
        bottomStart = topStart;
      } else {
        resizeRow(source, from, columns, top);
      }
      topStart = from;
    }
    if (to !== bottomStart) {
      if (to === topStart) bottom.set(top);
      else resizeRow(source, to, columns, bottom);
      bottomStart = to;
    }
    blendRows(top, bottom, rows.weight0[y]!, rows.weight1[y]!, target, y * rowLength);
  }
  return rgbImage(size, target);
}
