import * as fc from 'fast-check';
import ndarray, { type NdArray } from 'ndarray';
import { describe, expect, it } from 'vitest';
import { keepRatioSize, multipleOf, resizeLinear, resizeNearest, type RgbImage } from '../../src/image/index.js';
import { goldenBytes, imageCases } from './golden.js';

const casesOf = (interpolation: string) =>
  imageCases
    .filter(({ params }) => params.interpolation === interpolation)
    .map(({ id, params }) => ({ id, src: `${params.src}/img`, size: [params.size![1], params.size![0]] as const }));

/** The same pixels in another memory layout: channels first, with gaps, at an offset, rows bottom-up. */
function relaid(image: RgbImage): RgbImage {
  const [height, width] = image.shape as [number, number, number];
  const plane = height * (width + 3);
  const view = ndarray(
    new Uint8Array(7 + 3 * plane).fill(99),
    [height, width, 3],
    [-(width + 3), 1, plane],
    7 + (height - 1) * (width + 3),
  );
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) for (let c = 0; c < 3; c++) view.set(y, x, c, image.get(y, x, c));
  return view;
}

/** The resize rule pixel by pixel in plain words, as an independent check of the buffered implementation. */
function plainResize(image: RgbImage, [outHeight, outWidth]: readonly [number, number]): number[] {
  const [height, width] = image.shape as [number, number, number];
  const even = (v: number): number => {
    const low = Math.floor(v);
    if (v - low === 0.5) return low + (low % 2);
    return Math.round(v);
  };
  const at = (out: number, inSize: number, outSize: number): [number, number] => {
    const f = Math.fround((out + 0.5) * (1 / (outSize / inSize)) - 0.5);
    return [Math.floor(f), Math.fround(f - Math.floor(f))];
  };
  const clamp = (v: number, size: number): number => Math.max(0, Math.min(size - 1, v));
  const result: number[] = [];
  for (let y = 0; y < outHeight; y++) {
    const [iy, fy] = at(y, height, outHeight);
    for (let x = 0; x < outWidth; x++) {
      let [ix, fx] = at(x, width, outWidth);
      if (ix < 0) [ix, fx] = [0, 0];
      if (ix >= width - 1) [ix, fx] = [width - 1, 0];
      for (let c = 0; c < 3; c++) {
        const row = (r: number): number =>
          image.get(clamp(r, height), ix, c) * even(Math.fround(1 - fx) * 2048) +
          image.get(clamp(r, height), clamp(ix + 1, width), c) * even(fx * 2048);
        const upper = ((row(iy) >> 4) * even(Math.fround(1 - fy) * 2048)) >> 16;
        const lower = ((row(iy + 1) >> 4) * even(fy * 2048)) >> 16;
        result.push((upper + lower + 2) >> 2);
      }
    }
  }
  return result;
}

const images = fc
  .tuple(fc.integer({ min: 1, max: 24 }), fc.integer({ min: 1, max: 24 }))
  .chain(([height, width]) =>
    fc
      .uint8Array({ minLength: height * width * 3, maxLength: height * width * 3 })
      .map((data) => ndarray(Uint8Array.from(data), [height, width, 3]) as NdArray<Uint8Array>),
  );
const sizes = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }));

describe('resizeLinear', () => {
  it('has the golden cases', () => expect(casesOf('INTER_LINEAR')).toHaveLength(17));

  it.each(casesOf('INTER_LINEAR'))('equals OpenCV on $id', ({ id, src, size }) => {
    const result = resizeLinear(goldenBytes(src), size);
    const expected = goldenBytes(`${id}/out`);
    expect(result.shape).toEqual(expected.shape);
    expect(result.data).toEqual(expected.data);
  });

  it('follows the per-pixel rule for any size', () => {
    fc.assert(
      fc.property(images, sizes, (image, size) => {
        const [height, width] = image.shape as [number, number, number];
        const halved = size[0] * 2 === height && size[1] * 2 === width;
        if (!halved) expect([...resizeLinear(image, size).data]).toEqual(plainResize(image, size));
      }),
      { numRuns: 200 },
    );
  });

  it('does not depend on the memory layout of its input', () => {
    fc.assert(
      fc.property(images, sizes, (image, size) => {
        expect(resizeLinear(relaid(image), size).data).toEqual(resizeLinear(image, size).data);
      }),
      { numRuns: 50 },
    );
  });

  it('reads the colours of a canvas through an RGBA view', () => {
    const rgba = ndarray(new Uint8ClampedArray([10, 20, 30, 255, 50, 60, 70, 0]), [1, 2, 4]);
    expect([...resizeLinear(rgba.hi(1, 2, 3), [1, 1]).data]).toEqual([30, 40, 50]);
  });

  it('returns a copy, never its input', () => {
    const image = ndarray(new Uint8Array([1, 2, 3]), [1, 1, 3]);
    const same = resizeLinear(image, [1, 1]);
    same.set(0, 0, 0, 200);
    expect(image.get(0, 0, 0)).toBe(1);
  });

  it('says what is wrong with an argument', () => {
    const image = ndarray(new Uint8Array(12), [2, 2, 3]);
    expect(() => resizeLinear(ndarray(new Uint8Array(4), [2, 2]), [1, 1])).toThrow(
      'resizeLinear: expected an RGB image [H, W, 3], got [2, 2]',
    );
    expect(() => resizeLinear(image, [0, 4])).toThrow(/size \[height, width\] of whole pixels, got \[0, 4\]/);
    expect(() => resizeLinear(image, [2.5, 4])).toThrow(/got \[2.5, 4\]/);
    expect(() => resizeLinear(ndarray(new Float32Array(12), [2, 2, 3]) as never, [1, 1])).toThrow(/bytes .*float32/);
  });
});

describe('resizeNearest', () => {
  it('has the golden cases', () => expect(casesOf('INTER_NEAREST')).toHaveLength(8));

  it.each(casesOf('INTER_NEAREST'))('equals OpenCV on $id', ({ id, src, size }) => {
    const result = resizeNearest(goldenBytes(src), size);
    expect(result.shape).toEqual([...size]);
    expect(result.data).toEqual(goldenBytes(`${id}/out`).data);
  });

  it('keeps 16-bit labels and takes any layout', () => {
    const labels = ndarray(new Uint16Array([1, 300, 65535, 4, 5, 6]), [2, 3]).transpose(1, 0);
    const result = resizeNearest(labels, [3, 4]);
    expect(result.data).toBeInstanceOf(Uint16Array);
    expect([...result.data]).toEqual([1, 1, 4, 4, 300, 300, 5, 5, 65535, 65535, 6, 6]);
  });
});

describe('sizes', () => {
  const { rescale = [], ratio_range: ratioRange = [] } = imageCases.find(({ id }) => id === 'sizes') ?? {};
  const flip = ([width, height]: readonly [number, number]): [number, number] => [height, width];

  it('equal mmcv on every stored case', () => {
    expect(rescale.length + ratioRange.length).toBe(54);
    for (const { wh, img_scale: scale, resized_wh: resized, multiple32_wh: padded } of [...rescale, ...ratioRange]) {
      const size = keepRatioSize(flip(wh), scale);
      expect(size).toEqual(flip(resized));
      expect(keepRatioSize(flip(wh), flip(scale))).toEqual(size);
      if (padded) expect(multipleOf(size, 32)).toEqual(flip(padded));
    }
  });

  it('never give a side of zero, and refuse what is no size', () => {
    expect(keepRatioSize([10_000, 1], [2048, 512])).toEqual([2048, 1]);
    expect(() => keepRatioSize([0, 5], [2048, 512])).toThrow(/got \[0, 5\]/);
    expect(() => keepRatioSize([5, 5], [2048, -1])).toThrow(/two positive limits, got \[2048, -1\]/);
    expect(() => multipleOf([5, 5], 0)).toThrow(/positive whole divisor, got 0/);
    expect(multipleOf([64, 65], 32)).toEqual([64, 96]);
  });
});
