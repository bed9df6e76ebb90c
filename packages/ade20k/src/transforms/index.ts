/** Transforms of samples, each as mmsegmentation 0.x defines it, composed as data. */
export { compose, type ComposedTransform, type SampleKey, type TransformConfig } from './compose.js';
export type { NormalizeConfig } from './normalize.js';
export { TransformConfigError } from './options.js';
export type { PadConfig } from './pad.js';
export type { PhotometricDistortionConfig } from './photometric-distortion.js';
export { trainTransforms, type TrainTransformOptions } from './presets.js';
export type { RandomCropConfig } from './random-crop.js';
export type { RandomFlipConfig } from './random-flip.js';
export type { ResizeConfig, ResizeToMultipleConfig } from './resize.js';
