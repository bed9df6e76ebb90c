import { brighten, cover, lay, mixed, pickColour, type Colour } from '../colour.js';
import type { Point } from '../canvas.js';
import { clamp, ease, mix } from '../maths.js';
import { facing, type World } from '../world.js';

interface Range {
  /** Distance in metres. */
  readonly z: number;
  /** Height of the highest peaks in metres. */
  readonly height: number;
  /** Share of the height above which snow lies; 1 for none. */
  readonly snow: number;
  /** 0 for round hills, 1 for sharp peaks. */
  readonly sharp: number;
}

/** Ranges of mountains, the farthest first. */
export function drawMountains(world: World): void {
  const { random } = world;
  const sharp = random.uniform();
  const ranges = 1 + random.integer(3);
  const snow = random.uniform() < 0.45 ? random.uniform(0.35, 0.8) : 1;
  for (let i = ranges; i > 0; i--) {
    const z = 2200 * i * random.uniform(0.8, 1.3);
    const tall = mix(0.07, 0.26, random.uniform()) * (0.6 + 0.25 * i);
    drawRange(world, { z, height: z * tall, snow: i === 1 && ranges > 1 ? 1 : snow, sharp });
  }
}

function drawRange(world: World, { z, height, snow, sharp }: Range): void {
  const { random, noise, light, camera } = world;
  const rock: Colour = pickColour(random, [
    [126, 116, 106],
    [110, 112, 112],
    [140, 122, 102],
  ]);
  const forest: Colour = pickColour(random, [
    [74, 96, 58],
    [92, 108, 66],
    [60, 82, 62],
    [120, 118, 80],
  ]);
  const bare = random.uniform(0.15, 1.1);
  const [left, right] = world.view(z);
  const [shift, width] = [random.uniform(0, 200), z * random.uniform(0.35, 0.8)];
  const ridge = (x: number): number => {
    const t = x / width + shift;
    const round = noise.fractal(t * 1.2, shift, 5) + 0.42;
    const peaked = 0.95 - 2.1 * Math.abs(noise.fractal(t * 1.4, shift + 50, 4));
    return height * clamp(mix(round, peaked, 0.75 * sharp), 0.04, 1.1);
  };
  const steps = Math.ceil(world.size[1] / 1.5);
  const outline: Point[] = Array.from({ length: steps + 1 }, (_, i) => {
    const x = mix(left * 1.05, right * 1.05, i / steps);
    return [x, camera.eye + ridge(x)];
  });
  outline.push([right * 1.05, -z * 0.02], [left * 1.05, -z * 0.02]);
  const detail = height * 0.35;
  const side = light.sun[0] > 0 ? 1 : -1;
  world.face(
    facing(z),
    outline,
    (u, v, pixel, ink) => {
      const share = v / height;
      const [x, y] = [u / detail, v / (detail * 0.8)];
      const folds = noise.fractal(x, y, 5, pixel / detail);
      const slope = (noise.fractal(x - 0.12 * side, y + 0.05, 4) - noise.fractal(x + 0.12 * side, y, 4)) * 3.2;
      lay(ink, mixed(forest, rock, clamp(bare * share * 1.6 - 0.1 + folds)), 0.35 * folds);
      cover(ink, [244, 246, 250], ease(clamp((share - snow + folds * 0.5) * 7)));
      brighten(ink, clamp(1.05 + slope * (0.25 + light.sunlight[0]), 0.45, 1.5));
    },
    'mountain',
  );
}
