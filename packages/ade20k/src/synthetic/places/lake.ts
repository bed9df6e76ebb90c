import type { Point } from '../canvas.js';
import { drawBoat } from '../subjects/boat.js';
import { bending, drawGround, strip } from '../subjects/ground.js';
import { drawHouse, houseBlock } from '../subjects/house.js';
import { drawMountains } from '../subjects/mountains.js';
import { drawPerson } from '../subjects/person.js';
import { drawPlant } from '../subjects/plant.js';
import { drawRock } from '../subjects/rock.js';
import { drawSky } from '../subjects/sky.js';
import { drawTree, drawTreeline } from '../subjects/tree.js';
import { drawWater, lakeColour } from '../subjects/water.js';
import { soil, turf, uneven } from '../textures.js';
import { drawThings, type Thing } from '../things.js';
import { level, type World } from '../world.js';

/** A lake or a broad river before mountains and woods. */
export function drawLake(world: World): void {
  const { random, noise } = world;
  drawSky(world);
  if (random.uniform() < 0.75) drawMountains(world);
  const meadow = turf(random, noise, random.uniform(0, 0.4));
  drawGround(world, meadow, 'grass');
  const far = random.uniform(70, 350);
  const woods = random.uniform() < 0.8;
  if (woods) drawTreeline(world, far + 2, random.uniform(6, 16) * (far / 160 + 0.4));
  const things: Thing[] = [];
  for (let i = random.integer(3); i > 0; i--) {
    const z = far + random.uniform(1, 10);
    const [left, right] = world.view(z);
    const block = houseBlock(random, random.uniform(left, right), z);
    things.push({ z, draw: () => drawHouse(world, block) });
  }
  for (let i = random.integer(4); i > 0; i--) {
    const z = far + random.uniform(0.5, 3);
    const [left, right] = world.view(z);
    things.push({ z, draw: () => drawTree(world, random.uniform(left, right), z, random.uniform(6, 14), 0.4) });
  }
  drawThings(things);

  const near = random.uniform(3, 14);
  const slant = random.uniform(-0.5, 0.5);
  const bank = (x: number): number => Math.max(1.2, near + slant * x + 3 * noise.fractal(x / 8, 3, 3));
  const [left, right] = world.view(60);
  const edge = (lift: number): Point[] =>
    Array.from({ length: 80 }, (_, i) => {
      const x = left + ((right - left) * i) / 79;
      return [x, bank(x) + lift];
    });
  const water = edge(0);
  const farShore: Point[] = Array.from({ length: 40 }, (_, i) => {
    const x = (right - left) * 12 * (0.5 - i / 39);
    return [x, far * (1 + 0.25 * noise.fractal(x / 60, 11, 3))];
  });
  const shore = random.uniform();
  if (shore < 0.6) {
    const width = random.uniform(0.6, 2.5);
    world.face(
      level(),
      [...edge(-width), ...edge(1).toReversed()],
      shore < 0.45 ? soil(random, noise) : uneven(noise, [150, 146, 138], 0.5, 0.7),
      'earth',
    );
  }
  drawWater(world, [...water, ...farShore], {
    label: 'water',
    rough: random.uniform(0, 0.4),
    colour: lakeColour(world),
  });
  if (random.uniform() < 0.35) {
    const course = bending(world, random.uniform(-4, 4), 2);
    world.face(level(), strip(course, -0.9, 0.9, 0.3, near * 0.7), uneven(noise, [168, 146, 112], 1.2, 0.4), 'path');
  }
  drawThings(foreground(world, bank, near, far));
}

function foreground(world: World, bank: (x: number) => number, near: number, far: number): Thing[] {
  const { random } = world;
  const things: Thing[] = [];
  for (let i = random.integer(4); i > 0; i--) {
    const z = near + random.uniform(3, 8) ** 2;
    const [left, right] = world.view(z);
    const x = random.uniform(left, right);
    if (z < far * 0.8 && bank(x) < z - 2) things.push({ z, draw: () => drawBoat(world, x, z, random.uniform(3.5, 8)) });
  }
  const onLand = (count: number, draw: (x: number, z: number) => void): void => {
    for (let i = count; i > 0; i--) {
      const z = random.uniform(3, near + 6);
      const [left, right] = world.view(z);
      const x = random.uniform(left, right);
      if (bank(x) > z - 0.5) things.push({ z, draw: () => draw(x, z) });
    }
  };
  onLand(random.integer(4), (x, z) => drawTree(world, x, z, random.uniform(4, 9), 0.3));
  onLand(random.integer(4), (x, z) => drawPlant(world, x, z, random.uniform(0.4, 1)));
  onLand(random.uniform() < 0.6 ? random.integer(8) : 0, (x, z) => drawRock(world, x, z, random.uniform(0.3, 1.3)));
  onLand(random.uniform() < 0.4 ? 1 + random.integer(2) : 0, (x, z) => drawPerson(world, x, z));
  return things;
}
