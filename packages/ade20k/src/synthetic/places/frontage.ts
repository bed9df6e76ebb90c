import { drawBuilding } from '../subjects/building.js';
import { drawGround } from '../subjects/ground.js';
import { drawHouse, houseBlock } from '../subjects/house.js';
import { drawMountains } from '../subjects/mountains.js';
import { drawPerson } from '../subjects/person.js';
import { drawHedge, drawPlant } from '../subjects/plant.js';
import { drawSky } from '../subjects/sky.js';
import { drawFence, drawSign, drawStreetlight, drawWall } from '../subjects/street-furniture.js';
import { drawTree, drawTreeline } from '../subjects/tree.js';
import { drawBus, drawCar } from '../subjects/vehicle.js';
import { rectangle } from '../outlines.js';
import { asphalt, flat, paving, soil, turf } from '../textures.js';
import { drawThings, type Thing } from '../things.js';
import { level, type World } from '../world.js';

/** Buildings or a house seen from the front, behind a road, a sidewalk, a lawn or a wall. */
export function drawFrontage(world: World): void {
  const { random, noise } = world;
  drawSky(world);
  if (random.uniform() < 0.2) drawMountains(world);
  const town = random.uniform() < 0.55;
  const z = town ? random.uniform(11, 26) : random.uniform(12, 30);
  drawTreeline(world, z + random.uniform(20, 80), random.uniform(5, 12));

  const surface = random.uniform();
  if (town || surface < 0.25) drawGround(world, paving(random, noise), 'sidewalk');
  else if (surface < 0.85) drawGround(world, turf(random, noise, random.uniform(0, 0.4)), 'grass');
  else drawGround(world, soil(random, noise), 'earth');
  const road = town || random.uniform() < 0.35;
  const near = random.uniform() < 0.7 ? 0.5 : random.uniform(3, 4.5);
  const far = z - random.uniform(2.5, 4.5);
  if (road) {
    world.face(level(), rectangle(-200, near, 200, far), asphalt(random, noise), 'road');
    const kerb = flat([178, 176, 170]);
    world.face(level(0.08), rectangle(-200, far, 200, far + 0.3), kerb, 'sidewalk');
    if (random.uniform() < 0.6) {
      const middle = near + (far - near) * random.uniform(0.35, 0.6);
      for (let x = -60; x < 60; x += 6) {
        world.face(level(), rectangle(x, middle, x + 3, middle + 0.13), flat([214, 212, 204]), null);
      }
    }
  }

  const things: Thing[] = [];
  const [left, right] = world.view(z);
  if (town) {
    const tall = random.uniform(6, 22);
    for (let x = left - random.uniform(0, 12); x < right;) {
      const width = random.uniform(7, 18);
      const block = {
        x0: x,
        x1: x + width,
        z0: z + random.uniform(0, 1.5),
        z1: z + 14,
        height: tall * random.uniform(0.6, 1.2),
      };
      if (random.uniform() < 0.88) things.push({ z: z + 2, draw: () => drawBuilding(world, block) });
      x += width + (random.uniform() < 0.2 ? random.uniform(1, 6) : 0);
    }
  } else {
    const houses = 1 + random.integer(2);
    for (let i = 0; i < houses; i++) {
      const block = houseBlock(
        random,
        left + ((i + random.uniform(0.3, 0.7)) * (right - left)) / houses,
        z + random.uniform(1, 6),
      );
      things.push({ z: block.z0, draw: () => drawHouse(world, block) });
    }
    const border = random.uniform();
    const at = road ? far + 1.2 : z - random.uniform(0.5, 4);
    if (border < 0.42)
      things.push({
        z: at,
        draw: () =>
          drawWall(
            world,
            { across: true, at, from: left - 5, to: right * random.uniform(0.1, 1) },
            random.uniform(0.7, 1.8),
          ),
      });
    else if (border < 0.7)
      things.push({
        z: at,
        draw: () => drawFence(world, { across: true, at, from: left * random.uniform(0.1, 1), to: right + 5 }),
      });
    else if (border < 0.85)
      things.push({
        z: at,
        draw: () => drawHedge(world, left, at, (right - left) * random.uniform(0.3, 1), random.uniform(0.8, 1.6)),
      });
  }
  const trees = random.integer(town ? 3 : 5);
  for (let i = 0; i < trees; i++) {
    const at = z + random.uniform(-3, town ? -1.5 : 8);
    things.push({
      z: at,
      draw: () => drawTree(world, random.uniform(left, right), at, random.uniform(4, 11), town ? 0 : 0.25),
    });
  }
  for (let i = random.integer(town ? 3 : 6); i > 0; i--) {
    const at = z - random.uniform(0.4, 2);
    things.push({ z: at, draw: () => drawPlant(world, random.uniform(left, right), at, random.uniform(0.4, 1)) });
  }
  if (road) addTraffic(world, things, near, far);
  for (let i = random.integer(town ? 6 : 3); i > 0; i--) {
    const at = random.uniform() < 0.6 ? z - random.uniform(0.6, 2.2) : random.uniform(4.5, z - 1);
    const [from, to] = world.view(at);
    things.push({ z: at, draw: () => drawPerson(world, random.uniform(from, to), at) });
  }
  if (random.uniform() < 0.5) {
    const at = far + 0.8;
    things.push({
      z: at,
      draw: () => drawStreetlight(world, random.uniform(left, right), at, random.uniform() < 0.5 ? -1 : 1),
    });
  }
  if (random.uniform() < 0.35) {
    const at = far + 0.6;
    things.push({ z: at, draw: () => drawSign(world, random.uniform(left, right), at) });
  }
  drawThings(things);
}

function addTraffic(world: World, things: Thing[], near: number, far: number): void {
  const { random } = world;
  for (const at of [far - 2.1, (near + far) / 2 - 1.4]) {
    if (at < 5) continue;
    const [left, right] = world.view(at);
    for (let x = left + random.uniform(-2, 6); x < right; x += random.uniform(5.2, 14)) {
      const kind = random.uniform();
      if (kind < 0.5) things.push({ z: at, draw: () => drawCar(world, x, at, 'across') });
      else if (kind < 0.58) {
        things.push({ z: at, draw: () => drawBus(world, x + 4, at, 'across') });
        x += 9;
      }
    }
  }
}
