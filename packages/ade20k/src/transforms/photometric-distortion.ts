import type { Random } from '@ii/tensor';
import { hsvToRgb, rgbBytes, rgbImage, rgbToHsv, type RgbImage, type Size } from '@ii/tensor/image';
import { byteImage, type TransformKind } from './transform.js';

/** mmsegmentation's `PhotoMetricDistortion`; each of the four changes happens with a probability of one half. */
export interface PhotometricDistortionConfig {
  readonly type: 'photometricDistortion';
  /** Up to so much is added or taken away. Default 32. */
  readonly brightnessDelta?: number;
  /** Factor of all channels. Default `[0.5, 1.5]`. */
  readonly contrastRange?: readonly [low: number, high: number];
  /** Factor of the saturation. Default `[0.5, 1.5]`. */
  readonly saturationRange?: readonly [low: number, high: number];
  /** The hue, 0 to 179, moves by −`hueDelta` to `hueDelta` − 1. Default 18. */
  readonly hueDelta?: number;
}

/** Both results of a coin are equally likely. */
function heads(random: Random): boolean {
  return random.integer(2) === 1;
}

/** `x · alpha + beta` in float32 of all bytes, clipped to 0 to 255 and cut (not rounded) to whole numbers. */
function levels(alpha: number, beta: number): Uint8Array {
  const factor = Math.fround(alpha);
  const offset = Math.fround(beta);
  const table = new Uint8Array(256);
  for (let level = 0; level < 256; level++) {
    table[level] = Math.min(Math.max(Math.fround(Math.fround(level * factor) + offset), 0), 255);
  }
  return table;
}

/** A new image with all channels, or only one, looked up in a table. */
function mapLevels(image: RgbImage, table: Uint8Array, channel?: 0 | 1): RgbImage {
  const target = rgbBytes(image, 'photometricDistortion').slice();
  const step = channel === undefined ? 1 : 3;
  for (let i = channel ?? 0; i < target.length; i += step) target[i] = table[target[i]!]!;
  return rgbImage(image.shape as unknown as Size, target);
}

export const photometricDistortion: TransformKind = {
  onBytes: true,
  create(options) {
    const brightnessDelta = options.number('brightnessDelta', 32, { min: 0 });
    const contrastRange = options.range('contrastRange', [0.5, 1.5], { min: 0 });
    const saturationRange = options.range('saturationRange', [0.5, 1.5], { min: 0 });
    const hueDelta = options.number('hueDelta', 18, { min: 0, max: 180, whole: true });
    options.done("'brightnessDelta', 'contrastRange', 'saturationRange', 'hueDelta'");

    const brightness = (image: RgbImage, random: Random): RgbImage =>
      heads(random) ? mapLevels(image, levels(1, random.uniform(-brightnessDelta, brightnessDelta))) : image;
    const contrast = (image: RgbImage, random: Random): RgbImage =>
      heads(random) ? mapLevels(image, levels(random.uniform(...contrastRange), 0)) : image;
    // Saturation and hue each go through bytes of HSV and back; done in one go, the roundings would differ.
    const saturation = (image: RgbImage, random: Random): RgbImage =>
      heads(random) ? hsvToRgb(mapLevels(rgbToHsv(image), levels(random.uniform(...saturationRange), 0), 1)) : image;
    const hue = (image: RgbImage, random: Random): RgbImage => {
      if (!heads(random)) return image;
      const shift = random.integer(Math.max(2 * hueDelta, 1)) - hueDelta;
      const turned = Uint8Array.from({ length: 256 }, (_, value) => (value + shift + 180) % 180);
      return hsvToRgb(mapLevels(rgbToHsv(image), turned, 0));
    };

    return (sample, random) => {
      let image = brightness(byteImage(sample, 'photometricDistortion'), random);
      const contrastLast = !heads(random);
      if (!contrastLast) image = contrast(image, random);
      image = hue(saturation(image, random), random);
      if (contrastLast) image = contrast(image, random);
      return { ...sample, image };
    };
  },
};
