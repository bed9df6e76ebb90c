import type { ZooModel } from './model.js';

/** A model small enough to run anywhere in seconds, to show the path from a photo to its labels. */
export const demoModel: ZooModel = {
  name: 'demo',
  aliases: [],
  title: 'demo model',
  config: {
    backbone: { channels: 16, depths: [1, 1, 2, 1], groups: [1, 2, 4, 8], layerScale: 1 },
    decodeHead: { channels: 32, poolScales: [1, 2, 3, 6], dropoutRatio: 0.1 },
    auxiliaryHead: null,
    numClasses: 150,
  },
  resolution: [256, 256],
  testScale: [1024, 256],
  flopsInput: [256, 1024],
  published: null,
  training: null,
  files: null,
  note: 'a small untrained model with seeded random weights: its labels mean nothing',
};
