import type { Bound, ReferenceArray } from '@ii/tensor';
import type { DCNv3GradientInputs, DCNv3GradientOutputs, DCNv3GradientParams } from './dcnv3-gradient.js';
import { centre, grid, pointCount } from './geometry.js';
import { softmaxInPlace } from './reference.js';

type Map4 = readonly [number, number, number, number];

/** A pixel that a sampling point reads. */
interface Corner {
  /** Place in the map, in pixels. */
  readonly pixel: number;
  /** Its share of the value, and that share's derivative to the right and downwards. */
  readonly weight: number;
  readonly dx: number;
  readonly dy: number;
}

/** The gradient in plain f64 loops: one point at a time, as `reference.ts` samples them. */
export function dcnv3GradientReference(
  { x, offset, mask, centerScale, gy }: Bound<DCNv3GradientInputs, ReferenceArray>,
  out: Bound<DCNv3GradientOutputs, ReferenceArray>,
  params: DCNv3GradientParams,
): void {
  const { groups, offsetScale } = params;
  const [, height, width, channels] = x.shape as Map4;
  const [n, outHeight, outWidth] = gy.shape as Map4;
  const points = pointCount(params);
  const groupChannels = channels / groups;
  out.x.data.fill(0);
  for (let image = 0; image < n; image++) {
    for (let row = 0; row < outHeight; row++) {
      for (let column = 0; column < outWidth; column++) {
        const pixel = (image * outHeight + row) * outWidth + column;
        for (let group = 0; group < groups; group++) {
          const place = pixel * groups + group;
          const first = place * points;
          const weights = mask.data.slice(first, first + points);
          if (params.softmax) softmaxInPlace(weights);
          const share = centerScale ? centerScale.data[place]! : 0;
          const from = pixel * channels + group * groupChannels;

          // Per point the products of gy and the sampled value, over the group's channels.
          const products = new Float64Array(points);
          for (let point = 0; point < points; point++) {
            const [gridY, gridX] = grid(params, point);
            const atX = centre(params, 1, column) + (gridX + offset.data[2 * (first + point)]!) * offsetScale;
            const atY = centre(params, 0, row) + (gridY + offset.data[2 * (first + point) + 1]!) * offsetScale;
            const factor = weights[point]! * (1 - share);
            let [toX, toY] = [0, 0];
            for (const { pixel: source, weight, dx, dy } of corners(atY, atX, height, width)) {
              const at = (image * height * width + source) * channels + group * groupChannels;
              let product = 0;
              for (let k = 0; k < groupChannels; k++) {
                product += gy.data[from + k]! * x.data[at + k]!;
                out.x.data[at + k]! += factor * weight * gy.data[from + k]!;
              }
              products[point]! += weight * product;
              toX += dx * product;
              toY += dy * product;
            }
            out.offset.data[2 * (first + point)] = factor * offsetScale * toX;
            out.offset.data[2 * (first + point) + 1] = factor * offsetScale * toY;
          }

          const sampled = products.reduce((sum, product, point) => sum + weights[point]! * product, 0);
          for (let point = 0; point < points; point++) {
            const toWeight = (1 - share) * products[point]!;
            out.mask.data[first + point] = params.softmax
              ? weights[point]! * (toWeight - (1 - share) * sampled)
              : toWeight;
          }
          if (out.centerScale) {
            let centred = 0;
            for (let k = 0; k < groupChannels; k++) {
              centred += gy.data[from + k]! * x.data[from + k]!;
              out.x.data[from + k]! += share * gy.data[from + k]!;
            }
            out.centerScale.data[place] = centred - sampled;
          }
        }
      }
    }
  }
}

/** The pixels around a location that lie in the map; none for a location outside. Derivatives are right-sided. */
function corners(y: number, x: number, height: number, width: number): Corner[] {
  if (!(y > -1 && y < height && x > -1 && x < width)) return [];
  const [top, left] = [Math.floor(y), Math.floor(x)];
  const [down, right] = [y - top, x - left];
  return [
    { iy: top, ix: left, weight: (1 - down) * (1 - right), dx: down - 1, dy: right - 1 },
    { iy: top, ix: left + 1, weight: (1 - down) * right, dx: 1 - down, dy: -right },
    { iy: top + 1, ix: left, weight: down * (1 - right), dx: -down, dy: 1 - right },
    { iy: top + 1, ix: left + 1, weight: down * right, dx: down, dy: right },
  ]
    .filter(({ iy, ix }) => iy >= 0 && iy < height && ix >= 0 && ix < width)
    .map(({ iy, ix, ...rest }) => ({ pixel: iy * width + ix, ...rest }));
}
