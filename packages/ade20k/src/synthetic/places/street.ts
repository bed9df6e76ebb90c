import { drawBuilding, drawSkyline, type Block } from '../subjects/building.js';
import { bending, drawGround, drawKerb, drawRoad } from '../subjects/ground.js';
import { drawMountains } from '../subjects/mountains.js';
import { drawPerson } from '../subjects/person.js';
import { drawPlant } from '../subjects/plant.js';
import { drawSky } from '../subjects/sky.js';
import { drawSign, drawStreetlight } from '../subjects/street-furniture.js';
import { drawTree, drawTreeline } from '../subjects/tree.js';
import { drawBus, drawCar } from '../subjects/vehicle.js';
import { paving } from '../textures.js';
import { drawThings, type Thing } from '../things.js';
import type { World } from '../world.js';

/** A town street to the vanishing point, between rows of buildings. */
export function drawStreet(world: World): void {
  const { random, noise } = world;
  const half = random.uniform(3, 5.5);
  const centre = random.uniform() < 0.6 ? random.uniform(-half, half) * 0.8 : random.uniform(-1, 1) * (half + 2);
  const walk = random.uniform(2, 5);
  const course = bending(world, centre);
  drawSky(world);
  if (random.uniform() < 0.2) drawMountains(world);
  drawGround(world, paving(random, noise), 'sidewalk');
  if (random.uniform() < 0.6) drawSkyline(world, random.uniform(120, 260), random.uniform(12, 45));
  else drawTreeline(world, random.uniform(100, 200), random.uniform(6, 12));
  drawRoad(world, { course, half, to: 300 });
  for (const side of [-1, 1]) drawKerb(world, course, side * half, 300);

  const tall = random.uniform(7, 26);
  const blocks: Block[] = [];
  for (const side of [-1, 1]) {
    const edge = centre + side * (half + walk);
    let z = random.uniform(-10, 6);
    while (z < 130) {
      const length = random.uniform(8, 22);
      const height = tall * random.uniform(0.6, 1.25);
      const gone = random.uniform() < 0.1;
      const [x0, x1] = side < 0 ? [edge - 16, edge] : [edge, edge + 16];
      if (!gone) blocks.push({ x0, x1, z0: z, z1: z + length, height });
      z += length + (random.uniform() < 0.2 ? random.uniform(2, 9) : 0);
    }
  }
  drawThings(blocks.map((block) => ({ z: block.z0, draw: () => drawBuilding(world, block) })));
  drawThings([...alongTheKerb(world, centre, half, walk), ...traffic(world, centre, half)]);
}

function alongTheKerb(world: World, centre: number, half: number, walk: number): Thing[] {
  const { random } = world;
  const things: Thing[] = [];
  const [trees, lamps, people, parked] = [
    random.uniform() < 0.55,
    random.uniform() < 0.75,
    random.uniform(0.1, 0.5),
    random.uniform(0, 0.6),
  ];
  const [treeHeight, spacing] = [random.uniform(4.5, 10), random.uniform(8, 16)];
  for (const side of [-1, 1] as const) {
    const kerb = centre + side * half;
    for (let z = random.uniform(4, 12); z < 110; z += spacing) {
      if (trees && random.uniform() < 0.7)
        things.push({ z, draw: () => drawTree(world, kerb + side * 1, z, treeHeight * random.uniform(0.8, 1.2), 0) });
    }
    for (let z = random.uniform(6, 20); z < 110; z += 22) {
      if (lamps) things.push({ z, draw: () => drawStreetlight(world, kerb + side * 0.5, z, side === 1 ? -1 : 1) });
    }
    for (let z = random.uniform(3.5, 8); z < 70; z += random.uniform(1.5, 9)) {
      if (random.uniform() < people)
        things.push({ z, draw: () => drawPerson(world, kerb + side * random.uniform(0.6, walk - 0.4), z) });
    }
    for (let z = random.uniform(3, 9); z < 80; z += random.uniform(5.4, 8)) {
      const stand = side > 0 ? 'away' : 'towards';
      if (random.uniform() < parked) things.push({ z, draw: () => drawCar(world, kerb - side * 1.05, z, stand) });
    }
    if (random.uniform() < 0.5) {
      const z = random.uniform(5, 25);
      things.push({ z, draw: () => drawSign(world, kerb + side * 0.5, z) });
    }
    for (let i = random.integer(3); i > 0; i--) {
      const z = random.uniform(4, 30);
      things.push({ z, draw: () => drawPlant(world, kerb + side * (walk - 0.6), z, random.uniform(0.4, 0.7)) });
    }
  }
  return things;
}

function traffic(world: World, centre: number, half: number): Thing[] {
  const { random } = world;
  const things: Thing[] = [];
  for (const side of [-1, 1]) {
    const stand = side > 0 ? 'away' : 'towards';
    for (let z = random.uniform(7, 40); z < 110; z += random.uniform(9, 50)) {
      const bus = random.uniform() < 0.22;
      things.push({ z, draw: () => (bus ? drawBus : drawCar)(world, centre + side * half * 0.42, z, stand) });
      if (bus) z += 9;
    }
  }
  return things;
}
