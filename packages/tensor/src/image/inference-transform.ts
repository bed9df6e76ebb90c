import type { NdArray } from 'ndarray';
import type { RgbInput, Size } from './host-image.js';
import { normalize, type PerChannel } from './normalize.js';
import { resizeLinear } from './resize-linear.js';
import { keepRatioSize, multipleOf } from './sizes.js';

/** Channel means of ImageNet on the scale 0 to 255, RGB: what every official model was trained with. */
export const IMAGENET_MEAN: PerChannel = [123.675, 116.28, 103.53];

/** Channel standard deviations of ImageNet on the scale 0 to 255, RGB. */
export const IMAGENET_STD: PerChannel = [58.395, 57.12, 57.375];

/** How a photo becomes a network's input. */
export interface InferenceOptions {
  /**
   * Limits of the long and the short side in pixels. Default `[2048, 512]` (T, S, B); the official L and XL use
   * `[2560, 640]`, H uses `[3584, 896]`.
   */
  readonly scale?: readonly [number, number];
  /** Both sides of the input are multiples of this. Default 32. */
  readonly divisor?: number;
  /** Default {@link IMAGENET_MEAN}. */
  readonly mean?: PerChannel;
  /** Default {@link IMAGENET_STD}. */
  readonly std?: PerChannel;
}

/** A network's input and the sizes on the way there, all `[height, width]`. */
export interface InferenceInput {
  /** Normalised image, float32 `[h, w, 3]`. */
  readonly input: NdArray<Float32Array>;
  /** Size of the photo: what the logits are resized to in the end. */
  readonly originalSize: Size;
  /** Size after the resize that keeps the ratio. */
  readonly resizedSize: Size;
  /** Size of `input`: `resizedSize` rounded up to multiples of the divisor. */
  readonly inputSize: Size;
}

/**
 * The official test transform, equal to mmsegmentation's with OpenCV to the last bit: resize keeping the ratio, then a
 * second resize, not keeping it, up to multiples of `divisor`, then normalise.
 *
 * @param image Photo `Uint8 [H, W, 3]`, RGB, any strides.
 * @throws ShapeError if the image is not `[H, W, 3]` or an option is out of range.
 */
export function inferenceTransform(image: RgbInput, options: InferenceOptions = {}): InferenceInput {
  const { scale = [2048, 512], divisor = 32, mean = IMAGENET_MEAN, std = IMAGENET_STD } = options;
  const [height = 0, width = 0] = image.shape;
  const originalSize: Size = [height, width];
  const resizedSize = keepRatioSize(originalSize, scale);
  const inputSize = multipleOf(resizedSize, divisor);
  // The two resizes are not one: their roundings differ from those of a direct resize.
  const padded = resizeLinear(resizeLinear(image, resizedSize), inputSize);
  return { input: normalize(padded, { mean, std }), originalSize, resizedSize, inputSize };
}
