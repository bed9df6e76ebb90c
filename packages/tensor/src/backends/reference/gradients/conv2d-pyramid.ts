import type { ReferenceArray } from '../backend.js';
import { samples, type Sample } from '../spatial.js';

type Image = readonly [number, number, number, number];

/** Scatters each pixel of gy to the coarse pixels that its product of each tap was mixed from. */
export function pyramidTapGradientReference(
  { gy }: { readonly gy: ReferenceArray },
  { gp }: { readonly gp: ReferenceArray },
): void {
  const [n, ho, wo, c] = gy.shape as Image;
  const [, h, w] = gp.shape as readonly number[] as Image;
  const [rows, columns] = [samples(h, ho), samples(w, wo)];
  gp.data.fill(0);
  for (let image = 0; image < n; image++) {
    for (let tap = 0; tap < 9; tap++) {
      const [down, right] = [Math.floor(tap / 3) - 1, (tap % 3) - 1];
      rows.forEach((row, y) => {
        columns.forEach((column, x) => {
          const [fromY, fromX] = [y - down, x - right];
          if (fromY < 0 || fromY >= ho || fromX < 0 || fromX >= wo) return;
          for (const [line, vertical] of neighbours(row)) {
            for (const [place, horizontal] of neighbours(column)) {
              const to = (((image * h + line) * w + place) * 9 + tap) * c;
              const from = ((image * ho + fromY) * wo + fromX) * c;
              for (let k = 0; k < c; k++) gp.data[to + k]! += gy.data[from + k]! * vertical * horizontal;
            }
          }
        });
      });
    }
  }
}

const neighbours = ({ low, high, weight }: Sample): readonly (readonly [place: number, weight: number])[] => [
  [low, 1 - weight],
  [high, weight],
];
