import ndarray from 'ndarray';
import { expect, it } from 'vitest';
import { normalize } from '../../src/image/index.js';
import { goldenBytes, goldenFloats } from './golden.js';

const statistics = { mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] } as const;

it('normalises all 256 levels to the reference bits', () => {
  const result = normalize(goldenBytes('normalize/img'), statistics);
  expect(result.shape).toEqual([256, 1, 3]);
  const bits = new Uint32Array(result.data.buffer);
  expect(bits).toEqual(new Uint32Array(goldenFloats('normalize/out').buffer));
});

it('reads strided images', () => {
  const bgr = ndarray(new Uint8Array([30, 20, 10, 3, 2, 1]), [1, 2, 3]).step(1, 1, -1);
  const rgb = ndarray(new Uint8Array([10, 20, 30, 1, 2, 3]), [1, 2, 3]);
  expect(normalize(bgr, statistics).data).toEqual(normalize(rgb, statistics).data);
});

it('refuses statistics that cannot be divided by', () => {
  const image = ndarray(new Uint8Array(3), [1, 1, 3]);
  expect(() => normalize(image, { ...statistics, std: [1, 0, 1] })).toThrow(/std above 0.*std \[1, 0, 1\]/);
  expect(() => normalize(image, { ...statistics, mean: [1, Number.NaN, 1] })).toThrow(/finite/);
});
