import { rgbBytes, rgbImage, type RgbImage, type RgbInput, type Size } from './host-image.js';

/** OpenCV stores a hue of 0 to 360 degrees in a byte as half of it. */
const HUES = 180;

/** Fractional bits of the integer reciprocals. */
const SHIFT = 12;

interface Reciprocals {
  /** `255 / value` and `180 / (6 · difference)`, scaled by 2¹², by the divisor. */
  readonly saturation: Int32Array;
  readonly hue: Int32Array;
}

interface Sectors {
  /** Per hue byte: which of the six sixths of the circle, and the position in it (float32). */
  readonly sector: Uint8Array;
  readonly fraction: Float32Array;
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
  if (sectors === undefined) {
    const sixths = Array.from({ length: 256 }, (_, hue) => Math.fround(hue * Math.fround(6 / HUES)));
    sectors = {
      sector: Uint8Array.from(sixths, (value) => Math.floor(value) % 6),
      fraction: Float32Array.from(sixths, (value) => value - Math.floor(value)),
    };
  }
  return sectors;
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

/** A float32 of 0 to 1 as a byte, halves to even. */
function toByte(level: number): number {
  const shifted = Math.fround(level * 255) + 0.5;
  const byte = Math.floor(shifted);
  return Math.min(byte === shifted ? byte & ~1 : byte, 255);
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
  const { sector, fraction } = sectorTables();
  const unit = Math.fround(1 / 255);
  const target = new Uint8Array(source.length);
  for (let i = 0; i < source.length; i += 3) {
    const hue = source[i]!;
    const saturation = Math.fround(source[i + 1]! * unit);
    const value = Math.fround(source[i + 2]! * unit);
    const position = fraction[hue]!;
    const fade = (amount: number): number => toByte(Math.fround(value * Math.fround(1 - amount)));
    const top = toByte(value);
    const low = fade(saturation);
    const falling = fade(Math.fround(saturation * position));
    const rising = fade(Math.fround(saturation * Math.fround(1 - position)));
    let red = top;
    let green = low;
    let blue = low;
    switch (sector[hue]) {
      case 0:
        green = rising;
        break;
      case 1:
        red = falling;
        green = top;
        break;
      case 2:
        red = low;
        green = top;
        blue = rising;
        break;
      case 3:
        red = low;
        green = falling;
        blue = top;
        break;
      case 4:
        red = rising;
        blue = top;
        break;
      default:
        blue = falling;
    }
    target[i] = red;
    target[i + 1] = green;
    target[i + 2] = blue;
  }
  return rgbImage(image.shape as unknown as Size, target);
}
