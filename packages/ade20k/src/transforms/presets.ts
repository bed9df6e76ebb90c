import type { TransformConfig } from './compose.js';

/** Sizes that differ between the official models. */
export interface TrainTransformOptions {
  /** Limits of the long and the short side before the ratio. Default `[2048, 512]` (T, S, B). */
  readonly scale?: readonly [number, number];
  /** `[height, width]` of the crops. Default `[512, 512]` (T, S, B). */
  readonly crop?: readonly [height: number, width: number];
}

/** The training transforms of the official models, as data. */
export function trainTransforms(options: TrainTransformOptions = {}): TransformConfig[] {
  const { scale = [2048, 512], crop = [512, 512] } = options;
  return [
    { type: 'resize', scale, ratioRange: [0.5, 2] },
    { type: 'randomCrop', size: crop, catMaxRatio: 0.75 },
    { type: 'randomFlip', probability: 0.5 },
    { type: 'photometricDistortion' },
    { type: 'normalize' },
    { type: 'pad', size: crop },
  ];
}
