export {
  resolveUperNetConfig,
  type FCNHeadConfig,
  type ResolvedUperNetConfig,
  type UPerHeadConfig,
  type UperNetConfig,
} from './config.js';
export { createUperNet, type CreateUperNetOptions } from './create-upernet.js';
export { upernetFlops } from './flops.js';
export { freezeStages } from './frozen-stages.js';
export {
  MS_FLIP_RATIOS,
  type InferenceMode,
  type InferenceModeOptions,
  type InferenceProtocol,
} from './inference-modes.js';
export type { HeadLoss, Losses } from './losses.js';
export { layerDecayGroups, type LayerDecayOptions, type LayerGroup } from './parameter-groups.js';
export { Segmentor, type Segmentation, type SegmentOptions } from './segmentor.js';
export { slideWindows, type Window } from './slide-windows.js';
export { UperNet } from './upernet.js';
