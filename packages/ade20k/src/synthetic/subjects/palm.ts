import type { Point } from '../canvas.js';
import { mixed, pickColour, scaled } from '../colour.js';
import { cosine, mix, sine } from '../maths.js';
import { band } from '../outlines.js';
import { flat, uneven } from '../textures.js';
import { facing, type World } from '../world.js';
import { castShadow } from './foliage.js';

/** A palm: a slender, bent trunk and a crown of fronds. */
export function drawPalm(world: World, x: number, z: number, height: number): void {
  const { random, noise } = world;
  const lean = random.uniform(-0.25, 0.25) * height;
  const [topX, topY] = [x + lean, height];
  castShadow(world, x, z, height * 0.22, height * 0.6);
  const trunk: Point[] = Array.from({ length: 7 }, (_, i) => {
    const up = i / 6;
    return [x + lean * up * up, height * up - 0.1 * (1 - up)];
  });
  const bark = pickColour(random, [
    [140, 122, 100],
    [120, 104, 86],
    [158, 140, 118],
  ]);
  const rings = uneven(noise, bark, 0.16, 0.5, 2);
  world.face(
    facing(z),
    band(trunk, [0.42, 0.32, 0.28, 0.26, 0.24, 0.24, 0.26]),
    (_u, v, pixel, ink) => rings(0, v, pixel, ink),
    'palm',
  );
  const green = pickColour(random, [
    [92, 122, 54],
    [82, 110, 60],
    [118, 136, 70],
  ]);
  const fronds = 11 + random.integer(6);
  for (let i = 0; i < fronds; i++) {
    const turn = ((i * 7) % fronds) / fronds + random.uniform(-0.02, 0.02);
    const length = height * random.uniform(0.3, 0.42);
    const [dx, rise] = [cosine(turn), sine(turn)];
    const line: Point[] = Array.from({ length: 6 }, (_, step) => {
      const t = step / 5;
      return [topX + dx * length * t, topY + length * (0.55 * rise * t + 0.32 * t - 0.75 * t * t)];
    });
    const shade = mix(0.55, 1.1, (rise + 1) / 2) * random.uniform(0.85, 1.1);
    const wide = length * 0.17;
    world.face(
      facing(z),
      band(line, [wide * 0.3, wide, wide * 1.1, wide, wide * 0.6, wide * 0.05]),
      flat(scaled(mixed(green, [150, 150, 80], random.uniform(0, 0.3)), shade)),
      'palm',
    );
  }
}
