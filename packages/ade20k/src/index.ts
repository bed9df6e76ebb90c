/** ADE20K: the classes and their colours, label conventions, and the official test transform. */
export { ADE20K_CLASSES, ADE20K_CLASS_NAMES, type Ade20kClass } from './classes.js';
export { ADE20K_PALETTE } from './palette.js';
export { reduceZeroLabel } from './labels.js';
export {
  IMAGENET_MEAN,
  IMAGENET_STD,
  inferenceTransform,
  type InferenceInput,
  type InferenceOptions,
} from '@ii/tensor/image';
export * from './metrics/index.js';
