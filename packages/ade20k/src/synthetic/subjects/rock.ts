import type { Point } from '../canvas.js';
import { cover, lay, mixed, pickColour } from '../colour.js';
import { clamp, cosine, sine } from '../maths.js';
import { ellipse } from '../outlines.js';
import { facing, type World } from '../world.js';

/** A boulder on the ground. */
export function drawRock(world: World, x: number, z: number, size: number): void {
  const { random, noise, light } = world;
  const stone = pickColour(random, [
    [136, 130, 122],
    [118, 114, 110],
    [150, 138, 120],
    [104, 100, 98],
  ]);
  const moss = random.uniform() < 0.3 ? 0.6 : 0;
  const flatness = random.uniform(0.5, 0.9);
  world.shadow(ellipse(x, z, size * 1.15, size * 0.5), 0.7);
  const outline: Point[] = Array.from({ length: 13 }, (_, i) => {
    const r = size * random.uniform(0.82, 1.08);
    return [x + r * cosine(i / 24), Math.max(r * flatness * sine(i / 24) - 0.02, -0.02)];
  });
  world.face(
    facing(z),
    outline,
    (u, v, pixel, ink) => {
      const [dx, dy] = [(u - x) / size, v / size];
      const cracks = noise.fractal((u / size) * 2.5, (v / size) * 2.5 + x, 4, (pixel / size) * 2.5);
      lay(ink, stone, 0.2 + 0.7 * cracks + 0.4 * (dy - 0.3) + 0.35 * light.sunlight[0] * dx * light.sun[0]);
      cover(ink, mixed(stone, [92, 110, 60], 0.8), clamp(moss * (dy + 2 * cracks)));
    },
    'rock',
  );
}
