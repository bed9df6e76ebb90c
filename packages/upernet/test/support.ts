import type { UperNetConfig } from '../src/index.js';

/** The model of the golden data. */
export const tinyConfig: UperNetConfig = {
  backbone: { channels: 8, depths: [1, 1, 2, 1], groups: [1, 2, 4, 8], layerScale: 1 },
  decodeHead: { channels: 32 },
  auxiliaryHead: { channels: 16 },
};
