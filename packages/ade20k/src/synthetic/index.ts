/** Data sets that are drawn: no files, any length, the same pictures everywhere. */
export { SCENE_CLASSES, SCENE_CLASS_IDS, type SceneClass } from './classes.js';
export { syntheticAde20k, syntheticNames, syntheticPair, type SyntheticOptions } from './dataset.js';
export { drawRectangles } from './rectangles.js';
export { drawScene, type Drawing, type SyntheticPair } from './scene.js';
