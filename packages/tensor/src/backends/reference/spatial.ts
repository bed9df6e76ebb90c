import type { ResizeArgmaxParams } from '../../ops/spatial.js';
import { sizeOf } from '../../shape.js';
import type { ReferenceArray } from './backend.js';
import { argmaxReference } from './reduce.js';

type Image = readonly [number, number, number, number];

/** Where an output position reads: two neighbours and the weight of the second. */
export interface Sample {
  readonly low: number;
  readonly high: number;
  readonly weight: number;
}

export function samples(input: number, output: number): Sample[] {
  return Array.from({ length: output }, (_, i) => {
    const position = Math.max(((i + 0.5) * input) / output - 0.5, 0);
    const low = Math.min(Math.floor(position), input - 1);
    return { low, high: Math.min(low + 1, input - 1), weight: position - low };
  });
}

export function resizeBilinearReference(
  { x }: { readonly x: ReferenceArray },
  { y }: { readonly y: ReferenceArray },
): void {
  const [, h, w, c] = x.shape as Image;
  const [n, ho, wo] = y.shape as Image;
  const rows = samples(h, ho);
  const columns = samples(w, wo);
  let at = 0;
  for (let image = 0; image < n; image++) {
    for (const row of rows) {
      const top = (image * h + row.low) * w;
      const bottom = (image * h + row.high) * w;
      for (const column of columns) {
        for (let k = 0; k < c; k++) {
          const upper = mix(x.data[(top + column.low) * c + k]!, x.data[(top + column.high) * c + k]!, column.weight);
          const lower = mix(
            x.data[(bottom + column.low) * c + k]!,
            x.data[(bottom + column.high) * c + k]!,
            column.weight,
          );
          y.data[at++] = mix(upper, lower, row.weight);
        }
      }
    }
  }
}

const mix = (a: number, b: number, weight: number): number => a * (1 - weight) + b * weight;

/** Literally the two resizes and the argmax that the fused kernels must equal. */
export function resizeArgmaxReference(
  { x }: { readonly x: ReferenceArray },
  { y }: { readonly y: ReferenceArray },
  { through }: ResizeArgmaxParams,
): void {
  const [n, , , c] = x.shape as Image;
  const [, height, width] = y.shape as readonly [number, number, number];
  const between = floats([n, through[0], through[1], c]);
  resizeBilinearReference({ x }, { y: between });
  const logits = floats([n, height, width, c]);
  resizeBilinearReference({ x: between }, { y: logits });
  argmaxReference({ x: logits }, { y }, { outer: n * height * width, length: c, inner: 1 });
}

function floats(shape: Image): ReferenceArray {
  return { shape, dtype: 'f32', data: new Float64Array(sizeOf(shape)) };
}

export function adaptiveAvgPool2dReference(
  { x }: { readonly x: ReferenceArray },
  { y }: { readonly y: ReferenceArray },
): void {
  const [, h, w, c] = x.shape as Image;
  const [n, ho, wo] = y.shape as Image;
  let at = 0;
  for (let image = 0; image < n; image++) {
    for (let oy = 0; oy < ho; oy++) {
      const [top, bottom] = [Math.floor((oy * h) / ho), Math.ceil(((oy + 1) * h) / ho)];
      for (let ox = 0; ox < wo; ox++) {
        const [left, right] = [Math.floor((ox * w) / wo), Math.ceil(((ox + 1) * w) / wo)];
        for (let k = 0; k < c; k++) {
          let total = 0;
          for (let iy = top; iy < bottom; iy++) {
            for (let ix = left; ix < right; ix++) total += x.data[((image * h + iy) * w + ix) * c + k]!;
          }
          y.data[at++] = total / ((bottom - top) * (right - left));
        }
      }
    }
  }
}
