import { brighten, cover, mixed, pickColour, scaled } from '../colour.js';
import { clamp, mix } from '../maths.js';
import { inside, masonry } from '../textures.js';
import type { Texture, World } from '../world.js';
import { windowPainter, type WindowStyle } from './windows.js';

interface FacadeOptions {
  /** Where the front begins, in the plane's `u`. */
  readonly from: number;
  readonly width: number;
  readonly height: number;
  readonly storeys: number;
  /** Of the wall; default: any. */
  readonly material?: Texture;
  /** Shop windows on the ground floor. */
  readonly shop?: boolean;
  /** Doors at ground level. */
  readonly door?: boolean;
}

/** The front of a building: wall, rows of windows, doors or shops, a cornice. `v` is the height. */
export function facade(world: World, style: WindowStyle, options: FacadeOptions): Texture {
  const { random, noise, light } = world;
  const { from, width, height, storeys, shop = false, door = false } = options;
  const wall = options.material ?? masonry(random, noise);
  const storey = height / storeys;
  const bays = Math.max(1, Math.round(width / style.bay));
  const bay = width / bays;
  const doorBay = random.integer(bays);
  const trim = mixed(style.frame, [170, 160, 146], 0.5);
  const rails = [scaled(trim, 0.7), trim] as const;
  const wood = pickColour(random, [
    [60, 52, 48],
    [120, 40, 40],
    [40, 60, 84],
    [50, 74, 58],
    [172, 150, 110],
  ]);
  const window = windowPainter(world, style);
  const halfWidth = (style.width / 2) * bay;
  const halfHeight = (style.height / 2) * storey;
  // What windows come to where they are too small to be seen.
  const distant = mixed(style.glass, mixed(light.horizon, light.zenith, 0.4), 0.3);
  const filled = style.width * style.height * 0.8;
  return (u, v, pixel, ink) => {
    wall(u, v, pixel, ink);
    const x = (u - from) / bay;
    const y = v / storey;
    const column = Math.floor(x);
    const row = Math.floor(y);
    if (row >= storeys || row < 0 || column < 0 || column >= bays) return;
    const du = (x - column - 0.5) * bay;
    const dv = (y - row - 0.52) * storey;
    const fading = clamp(pixel / (0.35 * bay) - 1);
    if (row === 0 && shop) {
      cover(ink, wood, inside(0, v - storey * 0.45, 1, storey * 0.47, pixel));
      window(column, row, du, v - storey * 0.42, bay * 0.44, storey * 0.34, pixel, ink);
    } else if (row === 0 && door && column === doorBay) {
      cover(ink, trim, inside(du, v - 1.1, 0.7, 1.25, pixel));
      const panel = 0.8 + 0.2 * inside(du, v - 1.4, 0.35, 0.5, pixel);
      cover(ink, wood, inside(du, v - 1.05, 0.55, 1.1, pixel) * panel);
    } else if (fading < 1) {
      if (style.sill) cover(ink, trim, inside(du, dv + halfHeight + 0.14, halfWidth + 0.2, 0.07, pixel));
      window(column, row, du, dv, halfWidth, halfHeight, pixel, ink);
      if (style.balcony && row > 0 && (column & 1) === 0) {
        const rail = inside(du, dv + 0.36 * storey, 0.46 * bay, 0.16 * storey, pixel);
        cover(ink, rails[Math.floor(du * 9) & 1]!, rail * 0.9);
      }
    }
    if (fading > 0) cover(ink, distant, fading * filled);
    if (style.band) cover(ink, trim, clamp((0.1 - Math.abs(v - (row + 1) * storey + 0.12)) / pixel + 0.5));
    cover(ink, trim, clamp((v - height + 0.45) / pixel) * 0.8);
    brighten(ink, mix(0.8, 1, clamp(v / 1.2)));
  };
}
