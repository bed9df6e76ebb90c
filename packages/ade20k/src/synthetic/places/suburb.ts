import { bending, drawGround, drawKerb, drawRoad, strip } from '../subjects/ground.js';
import { drawHouse, houseBlock } from '../subjects/house.js';
import { drawMountains } from '../subjects/mountains.js';
import { drawPerson } from '../subjects/person.js';
import { drawHedge, drawPlant } from '../subjects/plant.js';
import { drawSky } from '../subjects/sky.js';
import { drawFence, drawSign, drawStreetlight, drawWall } from '../subjects/street-furniture.js';
import { drawTree, drawTreeline } from '../subjects/tree.js';
import { drawBus, drawCar } from '../subjects/vehicle.js';
import { paving, turf } from '../textures.js';
import { drawThings, type Thing } from '../things.js';
import { level, type World } from '../world.js';

/** A residential road between houses and gardens. */
export function drawSuburb(world: World): void {
  const { random, noise } = world;
  const half = random.uniform(2.6, 4.2);
  const centre = random.uniform(-3.5, 3.5);
  const walk = random.uniform(1.2, 2.4);
  const course = bending(world, centre, random.uniform() < 0.5 ? 1 : 0);
  drawSky(world);
  if (random.uniform() < 0.35) drawMountains(world);
  drawGround(world, turf(random, noise, random.uniform(0, 0.3)), 'grass');
  drawTreeline(world, random.uniform(90, 220), random.uniform(6, 14));
  const verge = random.uniform() < 0.4 ? random.uniform(0.8, 2) : 0;
  const slabs = paving(random, noise);
  for (const side of [-1, 1]) {
    const inner = side * (half + verge);
    world.face(level(), strip(course, inner, inner + side * walk), slabs, 'sidewalk');
  }
  drawRoad(world, { course, half });
  for (const side of [-1, 1]) drawKerb(world, course, side * half);

  const things: Thing[] = [];
  const border = random.uniform();
  for (const side of [-1, 1] as const) {
    const edge = half + verge + walk;
    for (let z = random.uniform(6, 14); z < 120; z += random.uniform(13, 20)) {
      const block = houseBlock(random, course(z) + side * (edge + random.uniform(8, 13)), z);
      things.push({ z: (block.z0 + block.z1) / 2, draw: () => drawHouse(world, block) });
      const lot = { across: false, at: course(z) + side * (edge + 0.5), from: z - 5, to: z + 9 };
      if (border < 0.3) things.push({ z: z + 1, draw: () => drawFence(world, lot) });
      else if (border < 0.55) things.push({ z: z + 1, draw: () => drawWall(world, lot, random.uniform(0.7, 1.3)) });
      for (let i = 1 + random.integer(3); i > 0; i--) {
        const at = z + random.uniform(-6, 8);
        things.push({
          z: at,
          draw: () =>
            drawPlant(world, course(at) + side * (edge + random.uniform(1.2, 5)), at, random.uniform(0.5, 1.1)),
        });
      }
      if (random.uniform() < 0.3) {
        const at = z - 2;
        things.push({
          z: at,
          draw: () => drawHedge(world, course(at) + side * (edge + 3) - 2, at, 4, random.uniform(0.9, 1.5)),
        });
      }
      if (random.uniform() < 0.7) {
        const at = z + random.uniform(-4, 10);
        things.push({
          z: at,
          draw: () =>
            drawTree(world, course(at) + side * (edge + random.uniform(1.5, 7)), at, random.uniform(4.5, 10), 0.25),
        });
      }
      if (random.uniform() < 0.4)
        things.push({ z, draw: () => drawCar(world, course(z) + side * (half - 1), z, side > 0 ? 'away' : 'towards') });
      if (random.uniform() < 0.35) {
        const at = z + random.uniform(-4, 4);
        things.push({ z: at, draw: () => drawPerson(world, course(at) + side * (half + verge + walk / 2), at) });
      }
    }
    for (let z = random.uniform(8, 24); z < 100; z += 28) {
      things.push({ z, draw: () => drawStreetlight(world, course(z) + side * (half + 0.4), z, side > 0 ? -1 : 1) });
    }
    if (random.uniform() < 0.35) {
      const z = random.uniform(6, 20);
      things.push({ z, draw: () => drawSign(world, course(z) + side * (half + 0.5), z) });
    }
  }
  for (let z = random.uniform(8, 50); z < 90; z += random.uniform(20, 60)) {
    const side = random.uniform() < 0.5 ? -1 : 1;
    const vehicle = random.uniform() < 0.15 ? drawBus : drawCar;
    things.push({ z, draw: () => vehicle(world, course(z) + side * half * 0.45, z, side > 0 ? 'away' : 'towards') });
  }
  drawThings(things);
}
