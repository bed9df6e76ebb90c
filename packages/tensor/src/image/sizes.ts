import { ShapeError } from '../errors.js';
import { requireSize, type Size } from './host-image.js';

/**
 * The largest size with the ratio of `size` whose long side fits `max(scale)` and whose short side fits `min(scale)`,
 * as mmcv's `rescale_size` rounds it: `int(v · f + 0.5)`. A side never becomes less than 1 pixel.
 *
 * @param size `[height, width]` of the image.
 * @param scale The two limits in pixels, in any order, for example `[2048, 512]`.
 * @throws ShapeError if a size or limit is not a positive number.
 */
export function keepRatioSize(size: Size, scale: readonly [number, number]): [height: number, width: number] {
  requireSize(size, 'keepRatioSize');
  if (!scale.every((limit) => Number.isFinite(limit) && limit > 0)) {
    throw new ShapeError(`keepRatioSize: expected two positive limits, got [${scale.join(', ')}]`);
  }
  const [height, width] = size;
  const factor = Math.min(Math.max(...scale) / Math.max(height, width), Math.min(...scale) / Math.min(height, width));
  const scaled = (side: number): number => Math.max(Math.floor(side * factor + 0.5), 1);
  return [scaled(height), scaled(width)];
}

/**
 * Each side rounded up to the next multiple of `divisor`; the ratio is not kept (mmsegmentation's `ResizeToMultiple`).
 *
 * @throws ShapeError if a side or the divisor is not a positive integer.
 */
export function multipleOf(size: Size, divisor: number): [height: number, width: number] {
  requireSize(size, 'multipleOf');
  if (!Number.isInteger(divisor) || divisor < 1) {
    throw new ShapeError(`multipleOf: expected a positive whole divisor, got ${divisor}`);
  }
  return [Math.ceil(size[0] / divisor) * divisor, Math.ceil(size[1] / divisor) * divisor];
}
