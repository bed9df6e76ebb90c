import { rgbBytes, rgbImage, type RgbImage, type RgbInput, type Size } from './host-image.js';

/** OpenCV stores a hue of 0 to 360 degrees in a byte as half of it. */
const HUES = 180;

/** Fractional bits of the integer reciprocals. */
const SHIFT = 12;

/** A byte's step on the scale 0 to 1. */
const UNIT = Math.fround(1 / 255);

interface Reciprocals {
  /** `255 / value` and `180 / (6 · difference)`, scaled by 2¹², by the divisor. */
  readonly saturation: Int32Array;
  readonly hue: Int32Array;
}

interface Sectors {
  /** Per hue byte: which of the six sixths of the circle. */
  readonly sector: Uint8Array;
  /**
   * Per hue byte: how far the channel that is neither the highest nor the lowest is from the highest, as a share of the
   * saturation (float32): the position in an odd sector, what is left of an even one.
   */
  readonly distance: Float32Array;
  /** The lowest channel, by `saturation · 256 + value`. */
  readonly lowest: Uint8Array;
}

let reciprocals: Reciprocals | undefined;
let sectors: Sectors | undefined;

function reciprocalTables(): Reciprocals {
  const table = (numerator: number): Int32Array =>
    Int32Array.from({ length: 256 }, (_, divisor) => divisor && Math.round((numerator * 2 ** SHIFT) / divisor));
  reciprocals ??= { saturation: table(255), hue: table(HUES / 6) };
  return reciprocals;
}

function sectorTables(): Sectors {
  if (sectors !== undefined) return sectors;
  const sixths = Array.from({ length: 256 }, (_, hue) => Math.fround(hue * Math.fround(6 / HUES)));
  const lowest = new Uint8Array(256 * 256);
  for (let saturation = 0; saturation < 256; saturation++) {
    const share = Math.fround(saturation * UNIT);
    for (let value = 0; value < 256; value++)
      lowest[saturation * 256 + value] = faded(Math.fround(value * UNIT), share);
  }
  sectors = {
    sector: Uint8Array.from(sixths, (turn) => Math.floor(turn) % 6),
    distance: Float32Array.from(sixths, (turn) => {
      const position = Math.fround(turn - Math.floor(turn));
      return Math.floor(turn) % 2 === 0 ? 1 - position : position;
    }),
    lowest,
  };
  return sectors;
}

/** `value · (1 − share)` in float32, both 0 to 1, as a byte: halves to even. */
function faded(value: number, share: number): number {
  const shifted = Math.fround(Math.fround(value * Math.fround(1 - share)) * 255) + 0.5;
  const byte = shifted | 0;
  return byte === shifted ? byte & ~1 : byte;
}

/**
 * RGB to hue, saturation and value, equal to the last bit to OpenCV's `cvtColor` of 8-bit images with
 * `COLOR_RGB2HSV` (which is that of BGR images with `COLOR_BGR2HSV`): hue 0 to 179 in steps of two degrees, saturation
 * and value 0 to 255, integer arithmetic with 12-bit reciprocals.
 *
 * @param image `[H, W, 3]`, RGB, any strides.
 * @returns A new image `[H, W, 3]` whose channels are hue, saturation, value.
 * @throws ShapeError if the image is not `[H, W, 3]`; DTypeError if its elements are not bytes.
 */
export function rgbToHsv(image: RgbInput): RgbImage {
  const source = rgbBytes(image, 'rgbToHsv');
  const { saturation, hue: hueScale } = reciprocalTables();
  const target = new Uint8Array(source.length);
  const half = 1 << (SHIFT - 1);
  for (let i = 0; i < source.length; i += 3) {
    const red = source[i]!;
    const green = source[i + 1]!;
    const blue = source[i + 2]!;
    const value = Math.max(red, green, blue);
    const range = value - Math.min(red, green, blue);
    let turn: number;
    if (value === red) turn = green - blue;
    else if (value === green) turn = blue - red + 2 * range;
    else turn = red - green + 4 * range;
    const hue = (turn * hueScale[range]! + half) >> SHIFT;
    target[i] = hue < 0 ? hue + HUES : hue;
    target[i + 1] = (range * saturation[value]! + half) >> SHIFT;
    target[i + 2] = value;
  }
  return rgbImage(image.shape as unknown as Size, target);
}

/**
 * Hue, saturation and value to RGB, equal to the last bit to OpenCV's `cvtColor` of 8-bit images with `COLOR_HSV2RGB`:
 * float32 arithmetic, rounded to even. Not quite the inverse of {@link rgbToHsv}, as bytes do not hold all hues.
 *
 * @param image `[H, W, 3]`: hue (0 to 179; above, the circle goes on), saturation, value; any strides.
 * @returns A new RGB image `[H, W, 3]`.
 * @throws ShapeError if the image is not `[H, W, 3]`; DTypeError if its elements are not bytes.
 */
export function hsvToRgb(image: RgbInput): RgbImage {
  const source = rgbBytes(image, 'hsvToRgb');
  const { sector, distance, lowest } = sectorTables();
  const target = new Uint8Array(source.length);
  for (let i = 0; i < source.length; i += 3) {
    const hue = source[i]!;
    const saturation = source[i + 1]!;
    const top = source[i + 2]!;
    const low = lowest[saturation * 256 + top]!;
    const share = Math.fround(Math.fround(saturation * UNIT) * distance[hue]!);
    const middle = faded(Math.fround(top * UNIT), share);
    const turn = sector[hue]!;
    // Which channel is the highest, the lowest and between: red to yellow, to green, to cyan, to blue, to magenta, to red.
    target[i] = turn === 0 || turn === 5 ? top : turn === 1 || turn === 4 ? middle : low;
    target[i + 1] = turn === 1 || turn === 2 ? top : turn === 0 || turn === 3 ? middle : low;
    target[i + 2] = turn === 3 || turn === 4 ? top : turn === 2 || turn === 5 ? middle : low;
  }
  return rgbImage(image.shape as unknown as Size, target);
}
