import type { NdArray } from 'ndarray';
import { onEither, withPixels, type TransformKind } from './transform.js';

/** mmsegmentation's `RandomFlip`. */
export interface RandomFlipConfig {
  readonly type: 'randomFlip';
  /** Default 0.5. */
  readonly probability?: number;
  /** Default `horizontal`: left and right change places. */
  readonly direction?: 'horizontal' | 'vertical';
}

export const randomFlip: TransformKind = {
  onBytes: false,
  create(options) {
    const probability = options.number('probability', 0.5, { min: 0, max: 1 });
    const direction = options.choice('direction', 'horizontal', ['horizontal', 'vertical']);
    options.done("'probability', 'direction'");
    const [y, x] = direction === 'horizontal' ? [1, -1] : [-1, 1];
    const flip = <T extends Uint8Array | Float32Array>(map: NdArray<T>): NdArray<T> => map.step(y!, x!);
    return (sample, random) =>
      random.uniform() < probability ? withPixels(sample, onEither(sample.image, flip), flip) : sample;
  },
};
