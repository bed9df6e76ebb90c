import type { ZooModel } from './model.js';

/** A model small enough to run anywhere in a fraction of a second, to show the path from a photo to its labels. */
export const demoModel: ZooModel = {
  name: 'demo',
  aliases: [],
  title: 'demonstration model',
  config: {
    backbone: { channels: 16, depths: [1, 1, 3, 1], groups: [1, 2, 4, 8], layerScale: 1 },
    decodeHead: { channels: 48, poolScales: [1, 2, 3, 6], dropoutRatio: 0 },
    auxiliaryHead: { inIndex: 2, channels: 32, numConvs: 1, lossWeight: 0.4, dropoutRatio: 0 },
    numClasses: 150,
  },
  resolution: [128, 128],
  testScale: [1024, 192],
  flopsInput: [192, 1024],
  published: null,
  files: null,
  training: null,
  note: 'a small demonstration model, trained on drawings in twenty minutes: it knows 25 of the 150 classes, and photos only as far as they look like its drawings',
};
