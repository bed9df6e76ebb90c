import ndarray from 'ndarray';
import { rgbImage } from '@ii/tensor/image';
import { ADE20K_PALETTE } from '../palette.js';
import type { Drawing } from './scene.js';

/** A photo's noise: a channel differs from the class's colour by up to this much. */
const NOISE = 12;

/**
 * Pictures of rectangles in the colours of their classes, with noise: simple enough to be learnt in a few steps. One
 * rectangle in ten is unlabelled.
 *
 * @param numClasses classes that occur: the first so many of the 150.
 */
export function drawRectangles(numClasses: number): Drawing {
  return (random, size) => {
    const [height, width] = size;
    const values = new Uint8Array(height * width).fill(1 + random.integer(numClasses));
    for (let shapes = 3 + random.integer(4); shapes > 0; shapes--) {
      const value = random.uniform() < 0.1 ? 0 : 1 + random.integer(numClasses);
      const [top, left] = [random.integer(height), random.integer(width)];
      const bottom = Math.min(height, top + 1 + random.integer(Math.ceil(height / 2)));
      const right = Math.min(width, left + 1 + random.integer(Math.ceil(width / 2)));
      for (let y = top; y < bottom; y++) values.fill(value, y * width + left, y * width + right);
    }
    const image = rgbImage(size);
    values.forEach((value, i) => {
      const colour = value === 0 ? [0, 0, 0] : ADE20K_PALETTE[value - 1]!;
      for (let c = 0; c < 3; c++) {
        const level = colour[c]! + random.integer(2 * NOISE + 1) - NOISE;
        image.data[3 * i + c] = Math.min(Math.max(level, 0), 255);
      }
    });
    return { image, annotation: ndarray(values, [height, width]) };
  };
}
