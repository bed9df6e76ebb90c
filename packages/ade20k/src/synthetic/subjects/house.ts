import type { Random } from '@ii/tensor';
import { pickColour, scaled } from '../colour.js';
import type { Point } from '../canvas.js';
import { rectangle } from '../outlines.js';
import { masonry, planks, tiles, flat } from '../textures.js';
import { along, facing, type Plane, type World } from '../world.js';
import type { Block } from './building.js';
import { facade } from './facade.js';
import { windowStyle, type WindowStyle } from './windows.js';

/** A place for a house: its block is up to the eaves. */
export function houseBlock(random: Random, x: number, z: number): Block {
  const [width, depth] = [random.uniform(7, 12), random.uniform(7, 11)];
  const storeys = random.uniform() < 0.5 ? 1 : 2;
  return { x0: x - width / 2, x1: x + width / 2, z0: z, z1: z + depth, height: storeys * random.uniform(2.6, 3.1) };
}

/** A house with a gable roof, a chimney, windows and a door. */
export function drawHouse(world: World, block: Block): void {
  const { random, noise } = world;
  const { x0, x1, z0, z1, height } = block;
  const storeys = Math.max(1, Math.round(height / 2.8));
  const style: WindowStyle = {
    ...windowStyle(random),
    bay: random.uniform(2.4, 3.6),
    balcony: false,
    width: random.uniform(0.3, 0.5),
  };
  const material = random.uniform() < 0.25 ? planks(random, noise, false) : masonry(random, noise);
  const roof = tiles(random, noise);
  const common = { height, storeys, material };
  const gableInFront = random.uniform() < 0.5;
  const pitch = random.uniform(0.6, 1.15);
  const half = (gableInFront ? x1 - x0 : z1 - z0) / 2;
  const rise = half * pitch;
  const [middleX, middleZ] = [(x0 + x1) / 2, (z0 + z1) / 2];
  const sideX = x0 > 0 ? x0 : x1 < 0 ? x1 : null;
  const over = 0.45;

  drawChimney(world, block, rise, material);
  const slopes: { readonly plane: Plane; readonly outline: Point[] }[] = [];
  const slope = (origin: Plane['origin'], right: Plane['right'], up: Plane['up'], from: number, to: number): void => {
    const length = Math.sqrt(half * half + rise * rise);
    slopes.push({
      plane: { origin, right, up: [up[0] / length, up[1] / length, up[2] / length] },
      outline: rectangle(from, -over, to, length),
    });
  };
  if (gableInFront) {
    slope([x0, height, 0], [0, 0, -1], [half, rise, 0], -z1, -z0 + over);
    slope([x1, height, 0], [0, 0, 1], [-half, rise, 0], z0 - over, z1);
  } else {
    slope([0, height, z0], [1, 0, 0], [0, rise, half], x0 - over, x1 + over);
  }
  const sideTexture = facade(world, style, { ...common, from: z0, width: z1 - z0 });
  const frontTexture = facade(world, style, { ...common, from: x0, width: x1 - x0, door: true });
  const drawSide = (): void => {
    if (sideX === null) return;
    const gable: Point[] = gableInFront ? [] : [[middleZ, height + rise]];
    world.face(along(sideX), [[z0, 0], [z1, 0], [z1, height], ...gable, [z0, height]], sideTexture, 'house');
  };
  const drawFront = (): void => {
    const gable: Point[] = gableInFront ? [[middleX, height + rise]] : [];
    world.face(facing(z0), [[x0, 0], [x1, 0], [x1, height], ...gable, [x0, height]], frontTexture, 'house');
    if (gableInFront && random.uniform() < 0.7) {
      const attic = facade(
        world,
        { ...style, sill: false, band: false },
        { from: middleX - 1, width: 2, height: 2, storeys: 1, material },
      );
      const lifted: Plane = { origin: [0, height + 0.15, z0 - 0.01], right: [1, 0, 0], up: [0, 1, 0] };
      world.face(lifted, rectangle(middleX - 0.55, 0.35, middleX + 0.55, 1.6), attic, 'house');
    }
  };
  const drawRoof = (): void => {
    for (const { plane, outline } of slopes) if (world.sees(plane)) world.face(plane, outline, roof, 'house');
  };
  drawSide();
  if (gableInFront) {
    drawRoof();
    drawFront();
    drawBargeboards(world, block, rise);
  } else {
    drawFront();
    drawRoof();
  }
}

function drawChimney(
  world: World,
  { x0, x1, z0, z1, height }: Block,
  rise: number,
  material: ReturnType<typeof flat>,
): void {
  const { random } = world;
  if (random.uniform() < 0.25) return;
  const x = x0 + (x1 - x0) * random.uniform(0.15, 0.85);
  const top = height + rise + random.uniform(0.5, 1.4);
  world.face(facing((z0 + z1) / 2), rectangle(x - 0.4, height, x + 0.4, top), material, 'house');
}

/** The boards along the edges of a gable. */
function drawBargeboards(world: World, { x0, x1, z0, height }: Block, rise: number): void {
  const { random } = world;
  const board = flat(
    scaled(
      pickColour(
        random,
        [
          [236, 234, 228],
          [96, 72, 56],
          [70, 70, 74],
        ],
        0.08,
      ),
      0.95,
    ),
  );
  const middle = (x0 + x1) / 2;
  const slope = rise / (middle - x0);
  for (const [x, out] of [
    [x0, -0.4],
    [x1, 0.4],
  ] as const) {
    const low = height - 0.4 * slope;
    world.face(
      facing(z0 - 0.05),
      [
        [x + out, low],
        [middle, height + rise],
        [middle, height + rise + 0.28],
        [x + out, low + 0.28],
      ],
      board,
      'house',
    );
  }
}
