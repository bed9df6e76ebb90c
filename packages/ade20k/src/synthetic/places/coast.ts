import type { Point } from '../canvas.js';
import { drawBoat } from '../subjects/boat.js';
import { drawBuilding } from '../subjects/building.js';
import { drawGround } from '../subjects/ground.js';
import { drawHouse, houseBlock } from '../subjects/house.js';
import { drawMountains } from '../subjects/mountains.js';
import { drawPalm } from '../subjects/palm.js';
import { drawPerson } from '../subjects/person.js';
import { drawPlant } from '../subjects/plant.js';
import { drawRock } from '../subjects/rock.js';
import { drawSky } from '../subjects/sky.js';
import { drawWater, seaColour } from '../subjects/water.js';
import { beach, paving, soil, turf } from '../textures.js';
import { drawThings, type Thing } from '../things.js';
import { FAR, level, type World } from '../world.js';

/** The sea up to the horizon, before it a beach, a promenade or a rocky shore. */
export function drawCoast(world: World): void {
  const { random, noise } = world;
  drawSky(world);
  if (random.uniform() < 0.35) drawMountains(world);
  const shore = random.uniform();
  if (shore < 0.7) drawGround(world, beach(random, noise), 'sand');
  else if (shore < 0.85) drawGround(world, paving(random, noise), 'sidewalk');
  else
    drawGround(
      world,
      random.uniform() < 0.5 ? soil(random, noise) : turf(random, noise, 0.4),
      shore < 0.92 ? 'earth' : 'grass',
    );

  // The waterline: near or far, slanting, uneven on a beach.
  const distance = random.uniform(4, 22);
  const slant = random.uniform(-1.1, 1.1);
  const uneven = shore < 0.7 ? 1 : 0.25;
  const waterline = (x: number): number =>
    Math.max(
      1.5,
      distance + slant * x * 0.5 + uneven * (2.5 * noise.fractal(x / 12, 3, 2) + 0.7 * noise.fractal(x / 2, 9, 2)),
    );
  const [left, right] = world.view(60);
  const edge: Point[] = Array.from({ length: 90 }, (_, i) => {
    const x = left + ((right - left) * i) / 89;
    return [x, waterline(x)];
  });
  const reach = 3 * FAR;
  const outline: Point[] = [[-reach, FAR], [-reach, edge[0]![1]], ...edge, [reach, edge.at(-1)![1]], [reach, FAR]];
  drawWater(world, outline, { label: 'sea', rough: random.uniform(0.35, 1), colour: seaColour(world) });
  if (shore < 0.7) {
    const foam: Point[] = [
      ...edge.map(([x, z]): Point => [x, z - 0.12]),
      ...edge.map(([x, z]): Point => [x, z + 0.35 + 0.4 * noise.at(x, 2)]).toReversed(),
    ];
    world.face(
      level(),
      foam,
      (_u, _v, _pixel, ink) => {
        ink[0] = ink[1] = ink[2] = 240;
        ink[3] = 0.75;
      },
      null,
    );
  }

  const things: Thing[] = [];
  for (let i = random.integer(5); i > 0; i--) {
    const z = distance + random.uniform(3.5, 11) ** 2;
    const [from, to] = world.view(z);
    const x = random.uniform(from, to);
    if (waterline(x) < z - 3) things.push({ z, draw: () => drawBoat(world, x, z, random.uniform(4, 11)) });
  }
  const onLand = (nearest: number, farthest: number, draw: (x: number, z: number) => void): void => {
    const z = random.uniform(nearest, farthest);
    const [from, to] = world.view(z);
    const x = random.uniform(from, to);
    if (waterline(x) > z + 0.3) things.push({ z, draw: () => draw(x, z) });
  };
  if (random.uniform() < 0.6) {
    for (let i = 1 + random.integer(5); i > 0; i--)
      onLand(4, 24, (x, z) => drawPalm(world, x, z, random.uniform(5, 10)));
  }
  for (let i = random.integer(7); i > 0; i--) onLand(4, 20, (x, z) => drawPerson(world, x, z));
  if (random.uniform() < 0.5) {
    for (let i = 1 + random.integer(7); i > 0; i--) {
      const z = random.uniform(3, 16);
      const [from, to] = world.view(z);
      const x = random.uniform(from, to);
      things.push({ z, draw: () => drawRock(world, x, z, random.uniform(0.4, 1.8)) });
    }
  }
  for (let i = random.integer(3); i > 0; i--) onLand(4, 16, (x, z) => drawPlant(world, x, z, random.uniform(0.5, 1)));
  if (random.uniform() < 0.25) addHotels(world, things, slant);
  drawThings(things);
}

/** Buildings on the side where the land reaches farther. */
function addHotels(world: World, things: Thing[], slant: number): void {
  const { random } = world;
  const side = slant > 0 ? 1 : -1;
  const house = random.uniform() < 0.4;
  for (let z = random.uniform(16, 24); z < 90; z += random.uniform(16, 26)) {
    const x = side * random.uniform(18, 24);
    const height = random.uniform(8, 24);
    const block = house ? houseBlock(random, x, z) : { x0: x - 7, x1: x + 7, z0: z, z1: z + 12, height };
    things.push({ z, draw: () => (house ? drawHouse : drawBuilding)(world, block) });
  }
}
