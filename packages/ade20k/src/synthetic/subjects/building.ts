import { clamp } from '../maths.js';
import { rectangle } from '../outlines.js';
import { masonry, tiles, uneven } from '../textures.js';
import { along, facing, level, type World } from '../world.js';
import { facade } from './facade.js';
import { lettering } from './lettering.js';
import { windowStyle } from './windows.js';

export interface Block {
  /** Sides left and right, and front and back, in metres. */
  readonly x0: number;
  readonly x1: number;
  readonly z0: number;
  readonly z1: number;
  readonly height: number;
}

/** A town building with a flat roof: the front and the side that the camera sees. */
export function drawBuilding(world: World, block: Block, { shop = world.random.uniform() < 0.4 } = {}): void {
  const { random, noise } = world;
  const { x0, x1, z0, z1, height } = block;
  const storeys = Math.max(1, Math.round(height / random.uniform(2.9, 3.7)));
  const style = windowStyle(random);
  const material = masonry(random, noise);
  const common = { height, storeys, material };
  const sideX = x0 > 0 ? x0 : x1 < 0 ? x1 : null;
  if (world.camera.eye > height) {
    world.face(level(height), rectangle(x0, z0, x1, z1), uneven(noise, [140, 136, 132], 3, 0.3), 'building');
  }
  if (sideX !== null) {
    const texture = facade(world, style, { ...common, from: z0, width: z1 - z0, shop, door: true });
    world.face(along(sideX), rectangle(z0, 0, z1, height), texture, 'building');
    if (shop) drawShopSigns(world, block, sideX, height / storeys);
  }
  const front = facade(world, style, {
    ...common,
    from: x0,
    width: x1 - x0,
    shop: shop && sideX === null,
    door: sideX === null,
  });
  world.face(facing(z0), rectangle(x0, 0, x1, height), front, 'building');
  if (random.uniform() < 0.3) drawParapet(world, block);
  if (shop && sideX === null && z0 < 60) {
    const width = (x1 - x0) * random.uniform(0.25, 0.6);
    const [left, bottom] = [x0 + (x1 - x0 - width) * random.uniform(), (height / storeys) * 0.93];
    const board = random.uniform(0.6, 1);
    world.face(
      facing(z0 - 0.1),
      rectangle(left, bottom, left + width, bottom + board),
      lettering(world, left, bottom, width, board),
      'signboard',
    );
  }
}

/** A sloping roof line above the front. */
function drawParapet(world: World, { x0, x1, z0, z1, height }: Block): void {
  const { random, noise } = world;
  const rise = random.uniform(1, 3);
  const texture = tiles(random, noise);
  const depth = Math.min(rise * 1.2, (z1 - z0) / 2);
  const length = Math.sqrt(rise * rise + depth * depth);
  const inset = clamp(rise * 0.6, 0, (x1 - x0) / 3);
  const slope = { origin: [0, height, z0 - 0.2], right: [1, 0, 0], up: [0, rise / length, depth / length] } as const;
  world.face(
    slope,
    [
      [x0 - 0.2, 0],
      [x1 + 0.2, 0],
      [x1 - inset, length],
      [x0 + inset, length],
    ],
    texture,
    'building',
  );
}

/** Boards over the shops, and some that stick out into the street. */
function drawShopSigns(world: World, { z0, z1 }: Block, x: number, storey: number): void {
  const { random } = world;
  const out = x > 0 ? -1 : 1;
  const shops = Math.max(1, Math.floor((z1 - z0) / 7));
  for (let i = shops - 1; i >= 0; i--) {
    const from = z0 + ((z1 - z0) * i) / shops;
    const width = ((z1 - z0) / shops) * random.uniform(0.5, 0.9);
    const [bottom, height] = [storey * 0.84, random.uniform(0.6, 1)];
    if (random.uniform() < 0.75) {
      world.face(
        along(x + out * 0.08),
        rectangle(from, bottom, from + width, bottom + height),
        lettering(world, from, bottom, width, height),
        'signboard',
      );
    }
    if (random.uniform() < 0.35) {
      const [left, size] = [out > 0 ? x : x - 1.1, random.uniform(0.7, 1.3)];
      world.face(
        facing(from),
        rectangle(left, storey, left + 1.1, storey + size),
        lettering(world, left, storey, 1.1, size),
        'signboard',
      );
    }
  }
}

/** A row of buildings far away, each with its front to the camera. */
export function drawSkyline(world: World, z: number, tallest: number): void {
  const { random } = world;
  const [left, right] = world.view(z);
  for (let x = left - 10; x < right;) {
    const width = random.uniform(10, 28);
    const height = tallest * random.uniform(0.3, 1);
    if (random.uniform() < 0.85)
      drawBuilding(world, { x0: x, x1: x + width, z0: z, z1: z + 15, height }, { shop: false });
    x += width + (random.uniform() < 0.3 ? random.uniform(0, 10) : 0);
  }
}
