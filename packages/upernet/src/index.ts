export {
  resolveUperNetConfig,
  type FCNHeadConfig,
  type ResolvedUperNetConfig,
  type UPerHeadConfig,
  type UperNetConfig,
} from './config.js';
export { createUperNet, type CreateUperNetOptions } from './create-upernet.js';
export { upernetFlops } from './flops.js';
export { Segmentor, type Segmentation, type SegmentOptions } from './segmentor.js';
export { UperNet } from './upernet.js';
