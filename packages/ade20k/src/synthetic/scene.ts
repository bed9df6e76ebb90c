import ndarray, { type NdArray } from 'ndarray';
import type { Random } from '@ii/tensor';
import type { RgbImage, Size } from '@ii/tensor/image';
import { develop } from './develop.js';
import { drawCoast } from './places/coast.js';
import { drawCountryside } from './places/countryside.js';
import { drawFrontage } from './places/frontage.js';
import { drawLake } from './places/lake.js';
import { drawStreet } from './places/street.js';
import { drawSuburb } from './places/suburb.js';
import { World } from './world.js';

/** A photo and its annotation. */
export interface SyntheticPair {
  readonly image: RgbImage;
  /** As in an annotation file of ADE20K: 0 is unlabelled, k is class k − 1. */
  readonly annotation: NdArray<Uint8Array>;
}

/** Draws a pair of a size; all chance comes from `random`. */
export type Drawing = (random: Random, size: Size) => SyntheticPair;

/** Places and how often they occur, relative to the others. */
const PLACES: readonly (readonly [weight: number, draw: (world: World) => void])[] = [
  [5, drawStreet],
  [4, drawSuburb],
  [4, drawFrontage],
  [4, drawCountryside],
  [3, drawCoast],
  [3, drawLake],
];
const TOTAL = PLACES.reduce((sum, [weight]) => sum + weight, 0);

/**
 * A scene out of doors: a street, a suburb, the front of a building, the countryside, a coast or a lake, at some time of
 * day and in some weather, seen in perspective. Edges are smooth in the photo and sharp in the annotation, which names
 * every pixel; the classes are `SCENE_CLASSES`.
 */
export const drawScene: Drawing = (random, size) => {
  let chance = random.integer(TOTAL);
  const [, draw] = PLACES.find(([weight]) => (chance -= weight) < 0)!;
  const world = new World(random, size);
  draw(world);
  return {
    image: develop(world.canvas, random),
    annotation: ndarray(
      world.canvas.labels.map((id) => id + 1),
      [...size],
    ),
  };
};
