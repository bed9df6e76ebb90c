import type { Random } from '@ii/tensor';
import { cover, mixed, pickColour, type Colour, type Ink } from '../colour.js';
import { clamp, mix } from '../maths.js';
import { inside } from '../textures.js';
import type { World } from '../world.js';

/** How the windows of a building look: the same on all its sides. */
export interface WindowStyle {
  /** Shares of a bay and a storey that a window takes. */
  readonly width: number;
  readonly height: number;
  readonly frame: Colour;
  readonly glass: Colour;
  /** Width of a bay in metres. */
  readonly bay: number;
  readonly sill: boolean;
  readonly band: boolean;
  readonly balcony: boolean;
  /** Glass bars: columns and rows of panes. */
  readonly panes: readonly [number, number];
}

export function windowStyle(random: Random): WindowStyle {
  const modern = random.uniform() < 0.3;
  return {
    width: modern ? random.uniform(0.6, 0.92) : random.uniform(0.3, 0.55),
    height: modern ? random.uniform(0.5, 0.75) : random.uniform(0.4, 0.62),
    frame: pickColour(
      random,
      [
        [238, 238, 232],
        [230, 226, 214],
        [92, 70, 54],
        [60, 62, 66],
        [120, 124, 128],
      ],
      0.06,
    ),
    glass: pickColour(random, [
      [52, 62, 74],
      [40, 46, 54],
      [74, 90, 104],
      [60, 66, 66],
    ]),
    bay: modern ? random.uniform(2.2, 4.5) : random.uniform(1.9, 3.4),
    sill: random.uniform() < 0.6,
    band: random.uniform() < 0.4,
    balcony: random.uniform() < 0.2,
    panes: [1 + random.integer(2), 1 + random.integer(3)],
  };
}

/** Draws one window: the point is at `du`, `dv` from its middle, in metres, and so are half its sizes. */
export type WindowPainter = (
  column: number,
  row: number,
  du: number,
  dv: number,
  halfWidth: number,
  halfHeight: number,
  pixel: number,
  ink: Ink,
) => void;

/** Frames, panes that mirror the sky, and here and there a curtain. */
export function windowPainter({ light, noise, random }: World, { panes, frame, glass }: WindowStyle): WindowPainter {
  const [columns, rows] = panes;
  const reflection = mixed(light.horizon, light.zenith, 0.4);
  const curtain = mixed(glass, [222, 214, 196], 0.6);
  const seed = random.integer(1000);
  return (column, row, du, dv, halfWidth, halfHeight, pixel, ink) => {
    const opening = inside(du, dv, halfWidth + 0.1, halfHeight + 0.1, pixel);
    if (opening <= 0) return;
    cover(ink, frame, opening);
    const pu = ((du / halfWidth + 1) / 2) * columns;
    const pv = ((dv / halfHeight + 1) / 2) * rows;
    const edge = Math.min(
      (0.5 - Math.abs(pu - Math.floor(pu) - 0.5)) * ((2 * halfWidth) / columns),
      (0.5 - Math.abs(pv - Math.floor(pv) - 0.5)) * ((2 * halfHeight) / rows),
    );
    const bars = mix(1, clamp((edge - 0.03) / pixel + 0.5), clamp(0.08 / pixel));
    const share = inside(du, dv, halfWidth, halfHeight, pixel) * bars;
    const chance = noise.cell(column + seed, row);
    cover(ink, chance > 0.86 ? curtain : glass, share);
    const uneven = 0.8 * noise.fractal(du + column, dv + row * 3, 2);
    const shine = clamp(0.2 + 0.35 * (dv / halfHeight) + (chance - 0.5) * 0.9 + uneven);
    if (chance <= 0.86) cover(ink, reflection, share * shine * 0.75);
  };
}
