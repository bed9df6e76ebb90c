import { ADE20K_CLASS_NAMES } from '../classes.js';

/** The classes that scenes are made of, by their short names. */
export const SCENE_CLASSES = [
  'wall',
  'building',
  'sky',
  'tree',
  'road',
  'grass',
  'sidewalk',
  'person',
  'earth',
  'mountain',
  'plant',
  'car',
  'water',
  'house',
  'sea',
  'field',
  'fence',
  'rock',
  'signboard',
  'sand',
  'path',
  'palm',
  'boat',
  'bus',
  'streetlight',
] as const;

export type SceneClass = (typeof SCENE_CLASSES)[number];

/** Ids among the 150. */
export const SCENE_CLASS_IDS = Object.fromEntries(
  SCENE_CLASSES.map((name) => [name, ADE20K_CLASS_NAMES.indexOf(name)]),
) as Readonly<Record<SceneClass, number>>;
