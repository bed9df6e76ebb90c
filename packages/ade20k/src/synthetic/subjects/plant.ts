import { ellipse } from '../outlines.js';
import { pickColour } from '../colour.js';
import { flat, leaves } from '../textures.js';
import { facing, type World } from '../world.js';
import { drawFoliage, type Clump } from './foliage.js';

/** A bush, sometimes in bloom. */
export function drawPlant(world: World, x: number, z: number, size: number): void {
  const { random } = world;
  const clumps: Clump[] = Array.from({ length: 4 + random.integer(3) }, () => {
    const radius = size * random.uniform(0.3, 0.5);
    return { x: x + random.uniform(-0.6, 0.6) * size, y: radius * random.uniform(0.5, 1.1), radius };
  });
  world.shadow(ellipse(x, z, size * 0.95, size * 0.4), 0.4);
  drawFoliage(world, { z, clumps, look: leaves(random, 0.03), tuft: size * 0.22, label: 'plant' });
  if (random.uniform() > 0.35) return;
  const blossom = flat(
    pickColour(random, [
      [214, 70, 90],
      [240, 220, 120],
      [236, 236, 240],
      [180, 90, 170],
      [226, 130, 60],
    ]),
  );
  for (let i = 6 + random.integer(12); i > 0; i--) {
    const { x: cx, y: cy, radius } = clumps[random.integer(clumps.length)]!;
    const [u, v, r] = [
      cx + random.uniform(-0.8, 0.8) * radius,
      cy + random.uniform(-0.5, 0.8) * radius,
      size * random.uniform(0.05, 0.09),
    ];
    world.face(facing(z), ellipse(u, v, r, r, 8), blossom, 'plant');
  }
}

/** A hedge along the view or across it. */
export function drawHedge(world: World, x: number, z: number, width: number, height: number): void {
  const { random } = world;
  const count = Math.max(2, Math.ceil(width / (height * 0.7)));
  const clumps: Clump[] = Array.from({ length: count }, (_, i) => ({
    x: x + (width * (i + 0.5)) / count,
    y: height * 0.5,
    radius: height * random.uniform(0.5, 0.6),
  }));
  world.shadow(ellipse(x + width / 2, z, width * 0.55, height * 0.4), 0.4);
  drawFoliage(world, { z, clumps, look: leaves(random, 0.02), tuft: height * 0.16, label: 'plant' });
}
