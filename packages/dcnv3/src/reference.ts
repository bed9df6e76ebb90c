import type { Bound, ReferenceArray } from '@ii/tensor';
import type { DCNv3Inputs, DCNv3Params } from './dcnv3.js';
import { centre, grid, pointCount } from './geometry.js';

type Map4 = readonly [number, number, number, number];

/** The operator in plain f64 loops, as `geometry.ts` states it. */
export function dcnv3Reference(
  { x, offset, mask, centerScale }: Bound<DCNv3Inputs, ReferenceArray>,
  { y }: { readonly y: ReferenceArray },
  params: DCNv3Params,
): void {
  const { groups, offsetScale } = params;
  const [, height, width, channels] = x.shape as Map4;
  const [n, outHeight, outWidth] = y.shape as Map4;
  const points = pointCount(params);
  const groupChannels = channels / groups;
  for (let image = 0; image < n; image++) {
    for (let row = 0; row < outHeight; row++) {
      for (let column = 0; column < outWidth; column++) {
        const pixel = (image * outHeight + row) * outWidth + column;
        for (let group = 0; group < groups; group++) {
          const first = (pixel * groups + group) * points;
          const weights = mask.data.slice(first, first + points);
          if (params.softmax) softmaxInPlace(weights);
          for (let k = 0; k < groupChannels; k++) {
            const channel = group * groupChannels + k;
            let sum = 0;
            for (let point = 0; point < points; point++) {
              const [gridY, gridX] = grid(params, point);
              const atX = centre(params, 1, column) + (gridX + offset.data[2 * (first + point)]!) * offsetScale;
              const atY = centre(params, 0, row) + (gridY + offset.data[2 * (first + point) + 1]!) * offsetScale;
              const value = (iy: number, ix: number): number =>
                iy < 0 || iy >= height || ix < 0 || ix >= width
                  ? 0
                  : x.data[((image * height + iy) * width + ix) * channels + channel]!;
              sum += weights[point]! * bilinear(value, atY, atX);
            }
            const at = pixel * channels + channel;
            const share = centerScale ? centerScale.data[pixel * groups + group]! : 0;
            y.data[at] = centerScale ? sum * (1 - share) + x.data[at]! * share : sum;
          }
        }
      }
    }
  }
}

function bilinear(value: (iy: number, ix: number) => number, y: number, x: number): number {
  const [top, left] = [Math.floor(y), Math.floor(x)];
  const [down, right] = [y - top, x - left];
  return (
    (1 - down) * ((1 - right) * value(top, left) + right * value(top, left + 1)) +
    down * ((1 - right) * value(top + 1, left) + right * value(top + 1, left + 1))
  );
}

/** Softmax over all values. */
export function softmaxInPlace(values: Float64Array): void {
  const largest = Math.max(...values);
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i] = Math.exp(values[i]! - largest);
  for (let i = 0; i < values.length; i++) values[i] = values[i]! / total;
}
