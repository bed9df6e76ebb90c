export * as init from './init.js';
export type { Initializer } from './init.js';
export {
  BatchNorm2d,
  Conv2d,
  LayerNorm,
  Linear,
  type Conv2dLayerOptions,
  type LayerEpilogue,
  type LinearLayerOptions,
} from './layers.js';
export { StateDictError, type LoadOptions, type LoadReport } from './load.js';
export { Dropout2d, DropPath } from './dropout.js';
export { Derived, Module, type Training } from './module.js';
export type { Parameter } from './parameter.js';
