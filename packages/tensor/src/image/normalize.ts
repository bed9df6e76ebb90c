import ndarray, { type NdArray } from 'ndarray';
import { ShapeError } from '../errors.js';
import { rgbBytes, type RgbInput } from './host-image.js';

/** Three numbers, one per channel: red, green, blue. */
export type PerChannel = readonly [red: number, green: number, blue: number];

/** Channel statistics on the scale 0 to 255, in RGB order. */
export interface ChannelStatistics {
  readonly mean: PerChannel;
  /** Standard deviation; every channel above 0. */
  readonly std: PerChannel;
}

/**
 * `(x − mean) / std` per channel as mmcv's `imnormalize` rounds it: mean and std are first rounded to float32, the
 * arithmetic is float64 (a product with the reciprocal), and the result is rounded once.
 *
 * @param image `[H, W, 3]`, any strides.
 * @returns A new float32 array `[H, W, 3]`.
 * @throws ShapeError if the image is not `[H, W, 3]` or the statistics are not three finite numbers, std above 0.
 */
export function normalize(image: RgbInput, { mean, std }: ChannelStatistics): NdArray<Float32Array> {
  if (![mean, std].every((values) => values.length === 3 && values.every(Number.isFinite)) || Math.min(...std) <= 0) {
    throw new ShapeError(
      `normalize: expected mean and std of three finite numbers, std above 0, got mean [${mean.join(', ')}], std [${std.join(', ')}]`,
    );
  }
  const source = rgbBytes(image, 'normalize');
  // A byte has 256 values: the division is done once for each, per channel.
  const [red, green, blue] = [0, 1, 2].map((channel) => {
    const offset = Math.fround(mean[channel]!);
    const factor = 1 / Math.fround(std[channel]!);
    return Float32Array.from({ length: 256 }, (_, level) => (level - offset) * factor);
  }) as [Float32Array, Float32Array, Float32Array];
  const target = new Float32Array(source.length);
  for (let i = 0; i < source.length; i += 3) {
    target[i] = red[source[i]!]!;
    target[i + 1] = green[source[i + 1]!]!;
    target[i + 2] = blue[source[i + 2]!]!;
  }
  return ndarray(target, [...image.shape]);
}
