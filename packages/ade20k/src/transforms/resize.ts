import { keepRatioSize, multipleOf, resizeLinear, resizeNearest, type Size } from '@ii/tensor/image';
import { byteImage, withPixels, type TransformKind } from './transform.js';

/** mmsegmentation's `Resize`: bilinear for the image, nearest for the labels. */
export interface ResizeConfig {
  readonly type: 'resize';
  /**
   * With `keepRatio`: limits in pixels of the long and the short side, in any order, for example `[2048, 512]`. Without:
   * `[width, height]` of the result. Default: the size of the photo, which needs a `ratioRange`.
   */
  readonly scale?: readonly [number, number];
  /** The scale is multiplied by a factor drawn from this range and cut to whole pixels. Default: not. */
  readonly ratioRange?: readonly [low: number, high: number];
  /** Default true. */
  readonly keepRatio?: boolean;
}

/** mmsegmentation's `ResizeToMultiple`: each side up to a multiple; the ratio is not kept. */
export interface ResizeToMultipleConfig {
  readonly type: 'resizeToMultiple';
  /** Default 32. */
  readonly divisor?: number;
}

const PIXELS = { min: 1, whole: true };

export const resize: TransformKind = {
  onBytes: true,
  create(options) {
    const scale = options.has('scale') ? options.numbers('scale', 2, PIXELS) : undefined;
    const ratios = options.has('ratioRange')
      ? options.range('ratioRange', [1, 1], { min: 0, exclusive: true })
      : undefined;
    const keepRatio = options.flag('keepRatio', true);
    options.done("'scale', 'ratioRange', 'keepRatio'");
    if (!scale && !ratios) throw options.error('scale', 'two whole numbers, or there must be a ratioRange');
    return (sample, random) => {
      const image = byteImage(sample, 'resize');
      const current: Size = [image.shape[0]!, image.shape[1]!];
      let [first, second] = (scale ?? [current[1], current[0]]) as [number, number];
      if (ratios) {
        const ratio = random.uniform() * (ratios[1] - ratios[0]) + ratios[0];
        // A tiny image times a small ratio would be nothing at all.
        [first, second] = [first, second].map((side) => Math.max(Math.trunc(side * ratio), 1)) as [number, number];
      }
      const size: Size = keepRatio ? keepRatioSize(current, [first, second]) : [second, first];
      return withPixels(sample, resizeLinear(image, size), (labels) => resizeNearest(labels, size));
    };
  },
};

export const resizeToMultiple: TransformKind = {
  onBytes: true,
  create(options) {
    const divisor = options.number('divisor', 32, PIXELS);
    options.done("'divisor'");
    return (sample) => {
      const image = byteImage(sample, 'resizeToMultiple');
      const size = multipleOf([image.shape[0]!, image.shape[1]!], divisor);
      return withPixels(sample, resizeLinear(image, size), (labels) => resizeNearest(labels, size));
    };
  },
};
