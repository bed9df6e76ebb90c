/**
 * Image work on the host, without codecs: resizes equal to OpenCV's, normalisation, overlays. Images are `ndarray`s:
 * `Uint8 [H, W, 3]` in RGB, label maps `Uint8` or `Uint16` `[H, W]`. Runs in browsers and Node alike, but for what has to
 * do with a browser's own pictures: `fromPlatform`, `decodeBlob` and `drawOverlay`.
 */
export { IGNORE_INDEX, labelValues, rgbBytes, rgbImage } from './host-image.js';
export type { ImageBytes, LabelMap, RgbImage, RgbInput, Size } from './host-image.js';
export { resizeLinear } from './resize-linear.js';
export { resizeNearest } from './resize-nearest.js';
export { hsvToRgb, rgbToHsv } from './hsv.js';
export { keepRatioSize, multipleOf } from './sizes.js';
export { normalize, type ChannelStatistics, type PerChannel } from './normalize.js';
export { LabelRangeError, overlay, type OverlayOptions, type Palette, type Rgb } from './overlay.js';
export { drawOverlay, labelColours } from './draw-overlay.js';
export { decodeBlob, fromPlatform, type ImageSource, type PlatformImage } from './platform.js';
export { legend, type Legend, type LegendEntry } from './legend.js';
export {
  IMAGENET_MEAN,
  IMAGENET_STD,
  inferenceTransform,
  type InferenceInput,
  type InferenceOptions,
} from './inference-transform.js';
