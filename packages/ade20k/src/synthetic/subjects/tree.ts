import type { Point } from '../canvas.js';
import { brighten, cover, lay, pickColour } from '../colour.js';
import { clamp, mix } from '../maths.js';
import { band, rectangle } from '../outlines.js';
import { leaves, uneven } from '../textures.js';
import { facing, type World } from '../world.js';
import { castShadow, drawFoliage, type Clump } from './foliage.js';

/** A tree that stands at a place: broad, slender, or a conifer. */
export function drawTree(world: World, x: number, z: number, height: number, conifer = 0.15): void {
  const { random } = world;
  const kind = random.uniform();
  if (kind < conifer) drawConifer(world, x, z, height);
  else if (kind < conifer + 0.1) drawBroadleaf(world, x, z, height, 0.16);
  else drawBroadleaf(world, x, z, height, random.uniform(0.3, 0.46));
}

/** @param spread half the crown's width as a share of the height. */
function drawBroadleaf(world: World, x: number, z: number, height: number, spread: number): void {
  const { random } = world;
  const look = leaves(random);
  const reach = height * spread;
  const bottom = height * random.uniform(0.16, 0.34);
  castShadow(world, x, z, reach * 0.9, height * 0.5);
  drawTrunk(world, x, z, bottom + height * 0.25, height * random.uniform(0.022, 0.04));
  const middle = (bottom + height) / 2;
  const half = (height - bottom) / 2;
  const clumps: Clump[] = [{ x, y: middle, radius: Math.min(reach, half) * 0.85 }];
  const count = 6 + random.integer(4);
  for (let i = 0; i < count; i++) {
    const up = random.uniform(-0.75, 0.8);
    // Narrower above than below the middle, like an egg.
    const wide = (1 - up * up) * (up > 0 ? 0.85 : 1);
    const radius = random.uniform(0.34, 0.58) * Math.min(reach, half);
    clumps.push({
      x: x + random.uniform(-1, 1) * wide * Math.max(reach - radius * 0.8, 0),
      y: middle + up * Math.max(half - radius * 0.6, 0),
      radius,
    });
  }
  drawFoliage(world, {
    z,
    clumps,
    look,
    tuft: clamp(height * 0.055, 0.25, 0.6),
    label: 'tree',
    gaps: random.uniform(0, 0.5),
  });
}

function drawTrunk(world: World, x: number, z: number, height: number, width: number): void {
  const { random, noise } = world;
  const bark = pickColour(random, [
    [96, 80, 64],
    [118, 104, 88],
    [82, 72, 62],
    [168, 162, 150],
  ]);
  const lean = random.uniform(-0.4, 0.4);
  const line: Point[] = [
    [x, -0.1],
    [x + lean * 0.3, height * 0.5],
    [x + lean, height],
  ];
  const widths = [width * 1.5, width, width * 0.8];
  const texture = uneven(noise, bark, 0.3, 0.5);
  world.face(
    facing(z),
    band(line, widths),
    (u, v, pixel, ink) => {
      texture(u * 3, v, pixel, ink);
      const side = clamp(0.5 + ((u - x) / width) * Math.sign(world.light.sun[0]));
      brighten(ink, mix(0.65, 1.1, side));
    },
    'tree',
  );
  for (let i = random.integer(3); i > 0; i--) {
    const [from, out] = [height * random.uniform(0.5, 0.8), random.uniform(-1, 1) * height * 0.4];
    world.face(
      facing(z),
      band(
        [
          [x, from],
          [x + out, from + height * 0.35],
        ],
        [width * 0.6, width * 0.3],
      ),
      texture,
      'tree',
    );
  }
}

function drawConifer(world: World, x: number, z: number, height: number): void {
  const { random, noise, light } = world;
  const dark = pickColour(random, [
    [38, 58, 42],
    [46, 66, 50],
    [54, 70, 46],
  ]);
  const bright = pickColour(random, [
    [84, 108, 70],
    [78, 104, 80],
    [98, 116, 72],
  ]);
  const half = height * random.uniform(0.15, 0.24);
  const tiers = 5 + random.integer(6);
  const seed = random.uniform(0, 100);
  castShadow(world, x, z, half, height * 0.4);
  drawTrunk(world, x, z, height * 0.2, height * 0.03);
  world.face(
    facing(z),
    rectangle(x - half * 1.25, height * 0.06, x + half * 1.25, height * 1.02),
    (u, v, pixel, ink) => {
      const up = v / height;
      const tier = (1 - up) * tiers;
      const droop = tier - Math.floor(tier);
      const width = half * (1 - up) * (0.72 + 0.5 * droop) + half * 0.05;
      const ragged = noise.fractal((u * 7) / half + seed, (v * 7) / half, 3, (pixel * 7) / half);
      ink[3] = clamp((width - Math.abs(u - x) + ragged * half * 0.45) / pixel + 0.5);
      if (ink[3] === 0) return;
      const across = (u - x) / Math.max(width, 0.01);
      lay(ink, dark);
      cover(ink, bright, clamp(0.18 + 0.5 * across * light.sun[0] + 0.35 * droop + 0.9 * ragged));
    },
    'tree',
  );
}

/** A line of trees or bushes far away, up to a height. */
export function drawTreeline(world: World, z: number, height: number): void {
  const { random, noise, light } = world;
  const look = leaves(random, 0.04);
  const [left, right] = world.view(z);
  const seed = random.uniform(0, 100);
  const wood = random.uniform(0.1, 0.5);
  world.face(
    facing(z),
    rectangle(left, -0.5, right, height * 1.3),
    (u, v, pixel, ink) => {
      const crowns =
        height *
        (0.6 +
          wood * noise.fractal(u / (height * 6) + seed, 3, 2) * 2 +
          0.9 * noise.fractal(u / (height * 0.9), seed, 3));
      ink[3] = clamp((crowns - v) / pixel + 0.5);
      if (ink[3] === 0) return;
      const leaf = noise.fractal((u * 2.2) / height, (v * 2.8) / height + seed, 4, (pixel * 2.5) / height);
      lay(ink, look.dark);
      cover(ink, look.light, clamp(0.1 + 0.55 * (v / height) + 1.5 * leaf + 0.3 * light.sunlight[0]));
    },
    'tree',
  );
}
