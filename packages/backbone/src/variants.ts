/**
 * The six official models as data: `segmentation/configs/ade20k/upernet_internimage_*` of the InternImage repository.
 */
import type { InternImageConfig } from './config.js';

export type Variant = 'T' | 'S' | 'B' | 'L' | 'XL' | 'H';

export const variants: Readonly<Record<Variant, InternImageConfig>> = {
  T: { channels: 64, depths: [4, 4, 18, 4], groups: [4, 8, 16, 32], dropPathRate: 0.2, layerScale: 1 },
  S: { channels: 80, depths: [4, 4, 21, 4], groups: [5, 10, 20, 40], dropPathRate: 0.3, layerScale: 1, postNorm: true },
  B: {
    channels: 112,
    depths: [4, 4, 21, 4],
    groups: [7, 14, 28, 56],
    dropPathRate: 0.4,
    layerScale: 1,
    postNorm: true,
  },
  L: {
    channels: 160,
    depths: [5, 5, 22, 5],
    groups: [10, 20, 40, 80],
    dropPathRate: 0.4,
    layerScale: 1,
    offsetScale: 2,
    postNorm: true,
  },
  XL: {
    channels: 192,
    depths: [5, 5, 24, 5],
    groups: [12, 24, 48, 96],
    dropPathRate: 0.4,
    layerScale: 1,
    offsetScale: 2,
    postNorm: true,
  },
  H: {
    channels: 320,
    depths: [6, 6, 32, 6],
    groups: [10, 20, 40, 80],
    dropPathRate: 0.5,
    layerScale: null,
    dwKernelSize: 5,
    resPostNorm: true,
    level2PostNormBlockIds: [5, 11, 17, 23, 29],
    centerFeatureScale: true,
  },
};
