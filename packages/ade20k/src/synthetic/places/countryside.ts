import { pickColour } from '../colour.js';
import { bending, drawGround, drawRoad, strip } from '../subjects/ground.js';
import { drawHouse, houseBlock } from '../subjects/house.js';
import { drawMountains } from '../subjects/mountains.js';
import { drawPerson } from '../subjects/person.js';
import { drawPlant } from '../subjects/plant.js';
import { drawRock } from '../subjects/rock.js';
import { drawSky } from '../subjects/sky.js';
import { drawFence, drawWall } from '../subjects/street-furniture.js';
import { drawTree, drawTreeline } from '../subjects/tree.js';
import { drawCar } from '../subjects/vehicle.js';
import { crops, soil, turf, uneven } from '../textures.js';
import { drawThings, type Thing } from '../things.js';
import { level, type World } from '../world.js';

/** Meadows and fields, a path or a country road, perhaps a farm, under hills or mountains. */
export function drawCountryside(world: World): void {
  const { random, noise } = world;
  drawSky(world);
  if (random.uniform() < 0.65) drawMountains(world);
  const ground = random.uniform();
  if (ground < 0.7) drawGround(world, turf(random, noise, random.uniform(0, 0.6)), 'grass');
  else drawGround(world, soil(random, noise), 'earth');
  drawFields(world);
  if (random.uniform() < 0.75) drawTreeline(world, random.uniform(120, 500), random.uniform(6, 16));

  const course = bending(world, random.uniform(-5, 5), 2.5);
  const way = random.uniform();
  if (way < 0.45) {
    const colour = pickColour(random, [
      [176, 152, 116],
      [158, 136, 108],
      [186, 172, 146],
    ]);
    const half = random.uniform(0.8, 1.8);
    const ragged = strip(course, -half, half, 0.3, 250).map(([x, z]): [number, number] => [
      x + noise.fractal(z * 1.5, x * 0.4, 2) * 0.5,
      z,
    ]);
    world.face(level(), ragged, uneven(noise, colour, 1.2, 0.4), 'path');
  } else if (way < 0.7) drawRoad(world, { course, half: random.uniform(2.4, 3.4) });
  else if (way < 0.85 && ground < 0.7) {
    // A bare patch.
    const [x, z, size] = [random.uniform(-4, 4), random.uniform(3, 12), random.uniform(2, 6)];
    const outline = Array.from({ length: 24 }, (_, i): [number, number] => {
      const r = size * (0.8 + noise.fractal(i * 0.6, 5, 2));
      const t = i / 24;
      return [
        x + r * (t < 0.5 ? 4 * t - 1 : 3 - 4 * t),
        z + r * 0.7 * (t < 0.25 ? 4 * t : t < 0.75 ? 2 - 4 * t : 4 * t - 4),
      ];
    });
    world.face(level(), outline, soil(random, noise), 'earth');
  }

  const things: Thing[] = [];
  const put = (z: number, draw: (x: number) => void, margin = 0): void => {
    const [left, right] = world.view(z);
    let x = random.uniform(left, right);
    // Not on the way.
    if (Math.abs(x - course(z)) < 2.5 + margin)
      x = course(z) + (x < course(z) ? -1 : 1) * (2.5 + margin + random.uniform(0, 2));
    things.push({ z, draw: () => draw(x) });
  };
  if (random.uniform() < 0.45) {
    const z = random.uniform(18, 60);
    put(z, (x) => drawHouse(world, houseBlock(random, x, z)), 6);
  }
  for (let i = random.integer(9); i > 0; i--) {
    const z = random.uniform(2, 9) ** 2;
    const height = random.uniform(4, 11);
    put(z, (x) => drawTree(world, x, z, height, 0.3), 1);
  }
  for (let i = random.integer(5); i > 0; i--) {
    const z = random.uniform(4, 30);
    put(z, (x) => drawPlant(world, x, z, random.uniform(0.5, 1.3)));
  }
  for (let i = random.uniform() < 0.5 ? random.integer(7) : 0; i > 0; i--) {
    const z = random.uniform(3.5, 20);
    put(z, (x) => drawRock(world, x, z, random.uniform(0.4, 1.7)));
  }
  for (let i = random.uniform() < 0.35 ? 1 + random.integer(2) : 0; i > 0; i--) {
    const z = random.uniform(5, 25);
    things.push({ z, draw: () => drawPerson(world, course(z) + random.uniform(-1, 1), z) });
  }
  if (way >= 0.45 && way < 0.7 && random.uniform() < 0.5) {
    const z = random.uniform(10, 50);
    things.push({ z, draw: () => drawCar(world, course(z) + 1.2, z, 'away') });
  }
  addBorder(world, things);
  drawThings(things);
}

function drawFields(world: World): void {
  const { random, noise } = world;
  for (let i = 1 + random.integer(3), far = 400; i > 0; i--) {
    const near = far * random.uniform(0.15, 0.5);
    const [left, right] = world.view(far);
    const from = random.uniform() < 0.5 ? left * 2 : random.uniform(left, right);
    const to = from + (right - left) * random.uniform(0.5, 2);
    // Sides that run towards the camera.
    world.face(
      level(),
      [
        [from, far],
        [to, far],
        [to * (near / far) * 1.4, near],
        [from * (near / far) * 1.4, near],
      ],
      crops(random, noise),
      'field',
    );
    far = near;
    if (far < 12) break;
  }
}

function addBorder(world: World, things: Thing[]): void {
  const { random } = world;
  const kind = random.uniform();
  if (kind > 0.6) return;
  const at = random.uniform(7, 22);
  const [left, right] = world.view(at);
  const place =
    random.uniform() < 0.5
      ? { from: left - 2, to: right * random.uniform(-0.3, 1) }
      : { from: left * random.uniform(-0.3, 1), to: right + 2 };
  if (place.to - place.from < 2) return;
  const wall = kind < 0.2;
  things.push({
    z: at,
    draw: () =>
      wall
        ? drawWall(world, { across: true, at, ...place }, random.uniform(0.7, 1.4))
        : drawFence(world, { across: true, at, ...place }),
  });
}
