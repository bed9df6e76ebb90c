import { cover, lay, pickColour, type Colour } from '../colour.js';
import { inside } from '../textures.js';
import type { Texture, World } from '../world.js';

/** The lettering of a signboard, unreadable. */
export function lettering(world: World, from: number, bottom: number, width: number, height: number): Texture {
  const { random, noise } = world;
  const board = pickColour(random, [
    [176, 40, 42],
    [30, 70, 130],
    [236, 232, 220],
    [40, 108, 72],
    [226, 178, 40],
    [34, 34, 38],
    [150, 60, 110],
  ]);
  const dark = board[0] + board[1] + board[2] < 400;
  const text: Colour = dark ? [240, 238, 228] : [36, 36, 44];
  const [seed, margin, size] = [
    random.integer(500),
    width * random.uniform(0.06, 0.18),
    height * random.uniform(0.3, 0.42),
  ];
  return (u, v, pixel, ink) => {
    lay(ink, board);
    const x = (u - from - margin) / size;
    const y = v - bottom - height / 2;
    const letter = Math.floor(x);
    const within = u > from + margin && u < from + width - margin && noise.cell(letter, seed) > 0.15;
    if (!within) return;
    const stroke = noise.cell(Math.floor((x - letter) * 3) + 3 * letter, seed + Math.floor((y / size) * 3));
    cover(ink, text, stroke > 0.45 ? inside((x - letter - 0.5) * size, y, 0.4 * size, size * 0.75, pixel) * 0.9 : 0);
  };
}
