import { IMAGENET_MEAN, IMAGENET_STD, normalize as normalizeImage, type PerChannel } from '@ii/tensor/image';
import { byteImage, type TransformKind } from './transform.js';

/** mmcv's `imnormalize` on RGB: `(x − mean) / std`, float32. */
export interface NormalizeConfig {
  readonly type: 'normalize';
  /** On the scale 0 to 255, red, green, blue. Default: ImageNet's. */
  readonly mean?: PerChannel;
  /** Standard deviations, above 0. Default: ImageNet's. */
  readonly std?: PerChannel;
}

export const normalize: TransformKind = {
  onBytes: true,
  create(options) {
    const mean = (options.has('mean') ? options.numbers('mean', 3) : IMAGENET_MEAN) as PerChannel;
    const std = (
      options.has('std') ? options.numbers('std', 3, { min: 0, exclusive: true }) : IMAGENET_STD
    ) as PerChannel;
    options.done("'mean', 'std'");
    return (sample) => ({ ...sample, image: normalizeImage(byteImage(sample, 'normalize'), { mean, std }) });
  },
};
