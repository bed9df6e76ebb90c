import type { Bound } from '../../kernel.js';
import type { Conv2dPyramidInputs, Conv2dPyramidParams } from '../../ops/conv2d-pyramid.js';
import { sizeOf, type Shape } from '../../shape.js';
import type { ReferenceArray } from './backend.js';
import { conv2dReference } from './conv2d.js';
import { resizeBilinearReference } from './spatial.js';

/** Literally the resizes, the concatenation and the convolution. */
export function conv2dPyramidReference(
  inputs: Bound<Conv2dPyramidInputs, ReferenceArray>,
  outputs: { readonly y: ReferenceArray },
  { activation }: Conv2dPyramidParams,
): void {
  const { x, level1, level2, level3, level4, ...rest } = inputs;
  const [n, height, width] = x.shape as readonly [number, number, number];
  const levels = [level1, level2, level3, level4].filter((map) => map !== undefined);
  const maps = [x, ...levels.map((map) => resized(map, [n, height, width, map.shape[3]!]))];
  const channels = rest.weight.shape[1]!;
  const joined = empty([n, height, width, channels]);
  let first = 0;
  for (const map of maps) {
    const count = map.shape[3]!;
    for (let pixel = 0; pixel < n * height * width; pixel++) {
      joined.data.set(map.data.subarray(pixel * count, (pixel + 1) * count), pixel * channels + first);
    }
    first += count;
  }
  const params = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1, activation } as const;
  conv2dReference({ ...rest, x: joined }, outputs, params);
}

function resized(x: ReferenceArray, shape: Shape): ReferenceArray {
  const y = empty(shape);
  resizeBilinearReference({ x }, { y });
  return y;
}

function empty(shape: Shape): ReferenceArray {
  return { shape, dtype: 'f32', data: new Float64Array(sizeOf(shape)) };
}
