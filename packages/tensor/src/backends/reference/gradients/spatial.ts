import type { ReferenceArray } from '../backend.js';
import { samples } from '../spatial.js';

type Image = readonly [number, number, number, number];

/** Scatters each output pixel to the four that it was mixed from. */
export function resizeBilinearGradientReference(
  { gy }: { readonly gy: ReferenceArray },
  { gx }: { readonly gx: ReferenceArray },
): void {
  const [n, ho, wo, c] = gy.shape as Image;
  const [, h, w] = gx.shape as Image;
  const rows = samples(h, ho);
  const columns = samples(w, wo);
  gx.data.fill(0);
  let at = 0;
  for (let image = 0; image < n; image++) {
    for (const row of rows) {
      const top = (image * h + row.low) * w;
      const bottom = (image * h + row.high) * w;
      for (const column of columns) {
        for (let k = 0; k < c; k++) {
          const upper = gy.data[at]! * (1 - row.weight);
          const lower = gy.data[at++]! * row.weight;
          gx.data[(top + column.low) * c + k]! += upper * (1 - column.weight);
          gx.data[(top + column.high) * c + k]! += upper * column.weight;
          gx.data[(bottom + column.low) * c + k]! += lower * (1 - column.weight);
          gx.data[(bottom + column.high) * c + k]! += lower * column.weight;
        }
      }
    }
  }
}

export function adaptiveAvgPool2dGradientReference(
  { gy }: { readonly gy: ReferenceArray },
  { gx }: { readonly gx: ReferenceArray },
): void {
  const [n, ho, wo, c] = gy.shape as Image;
  const [, h, w] = gx.shape as Image;
  gx.data.fill(0);
  let at = 0;
  for (let image = 0; image < n; image++) {
    for (let oy = 0; oy < ho; oy++) {
      const [top, bottom] = [Math.floor((oy * h) / ho), Math.ceil(((oy + 1) * h) / ho)];
      for (let ox = 0; ox < wo; ox++) {
        const [left, right] = [Math.floor((ox * w) / wo), Math.ceil(((ox + 1) * w) / wo)];
        for (let k = 0; k < c; k++) {
          const share = gy.data[at++]! / ((bottom - top) * (right - left));
          for (let iy = top; iy < bottom; iy++) {
            for (let ix = left; ix < right; ix++) gx.data[((image * h + iy) * w + ix) * c + k]! += share;
          }
        }
      }
    }
  }
}
