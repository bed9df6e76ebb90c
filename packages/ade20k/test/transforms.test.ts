import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import ndarray, { type NdArray } from 'ndarray';
import { describe, expect, it } from 'vitest';
import { Random } from '@ii/tensor';
import { hsvToRgb, resizeLinear, resizeNearest, rgbToHsv, type RgbImage } from '@ii/tensor/image';
import {
  compose,
  IMAGENET_MEAN,
  IMAGENET_STD,
  trainTransforms,
  type Sample,
  type TransformConfig,
} from '../src/index.js';
import { coordinateSample, valuesOf } from './support.js';

const key = { seed: 5, epoch: 2, index: 77 };
const apply = (sample: Sample, config: readonly TransformConfig[], seed = 5): Sample =>
  compose(config)(sample, { ...key, seed });
/** The stream of the only transform in a list. */
const stream = (seed: number): Random => new Random(seed, '2/77/0');
const sides = fc.tuple(fc.integer({ min: 1, max: 24 }), fc.integer({ min: 1, max: 24 }));

interface RatioCase {
  readonly base: [number, number];
  readonly ratio: number;
  readonly wh: [number, number];
  readonly resized_wh: [number, number];
}
const ratioCases = JSON.parse(
  readFileSync(new URL('fixtures/golden/ratio-range.json', import.meta.url), 'utf8'),
) as RatioCase[];

describe('resize', () => {
  it.each(ratioCases)('$wh at $ratio of $base', ({ base, ratio, wh, resized_wh: expected }) => {
    const image = ndarray(new Uint8Array(wh[0] * wh[1] * 3), [wh[1], wh[0], 3]);
    const sample = { name: 'photo', image, originalSize: [wh[1], wh[0]] } as const;
    const result = apply(sample, [{ type: 'resize', scale: base, ratioRange: [ratio, ratio] }]);
    expect(result.image.shape).toEqual([expected[1], expected[0], 3]);
    expect(result.originalSize).toEqual([wh[1], wh[0]]);
  });

  it('draws the ratio evenly, fits the limits, and treats image and labels alike', () => {
    fc.assert(
      fc.property(sides, sides, fc.nat(), ([height, width], [a, b], seed) => {
        const sample = coordinateSample(height, width);
        const result = apply(sample, [{ type: 'resize', scale: [a, b], ratioRange: [0.5, 2] }], seed);
        const ratio = 0.5 + 1.5 * stream(seed).uniform();
        const limits = [a, b].map((side) => Math.max(1, Math.floor(side * ratio)));
        const factor = Math.min(
          Math.max(...limits) / Math.max(height, width),
          Math.min(...limits) / Math.min(height, width),
        );
        const size = [height, width].map((side) => Math.max(1, Math.floor(side * factor + 0.5))) as [number, number];
        expect(result.image).toEqual(resizeLinear(sample.image, size));
        expect(result.labels).toEqual(resizeNearest(sample.labels, size));
      }),
    );
  });

  it('takes [width, height] without the ratio, and the photo’s size without a scale', () => {
    const sample = coordinateSample(6, 10);
    const shape = (config: TransformConfig) => apply(sample, [config]).image.shape;
    expect(shape({ type: 'resize', scale: [7, 4], keepRatio: false })).toEqual([4, 7, 3]);
    expect(shape({ type: 'resize', ratioRange: [1.5, 1.5] })).toEqual([9, 15, 3]);
    expect(shape({ type: 'resize', scale: [20, 5] })).toEqual([5, 8, 3]);
  });

  it('goes up to multiples', () => {
    fc.assert(
      fc.property(sides, fc.integer({ min: 1, max: 40 }), ([height, width], divisor) => {
        const result = apply(coordinateSample(height, width), [{ type: 'resizeToMultiple', divisor }]);
        const [outHeight, outWidth] = result.image.shape as [number, number];
        expect([outHeight % divisor, outWidth % divisor]).toEqual([0, 0]);
        expect(outHeight - height).toBeLessThan(divisor);
        expect(outWidth - width).toBeLessThan(divisor);
        expect(Math.min(outHeight - height, outWidth - width)).toBeGreaterThanOrEqual(0);
        expect(result.labels!.shape).toEqual([outHeight, outWidth]);
      }),
    );
    expect(apply(coordinateSample(33, 64), [{ type: 'resizeToMultiple' }]).image.shape).toEqual([64, 64, 3]);
  });
});

/** The share of the largest class among the labelled pixels of a window, and the number of classes. */
function windowOf(labels: NdArray<Uint8Array>, [top, left]: number[], [height, width]: number[]): [number, number] {
  const inside: number[] = [];
  for (let y = top!; y < Math.min(top! + height!, labels.shape[0]!); y++)
    for (let x = left!; x < Math.min(left! + width!, labels.shape[1]!); x++) inside.push(labels.get(y, x));
  const labelled = inside.filter((label) => label !== 255);
  const counts = [...new Set(labelled)].map((id) => labelled.filter((label) => label === id).length);
  return [Math.max(...counts, 0) / labelled.length, counts.length];
}

describe('randomCrop', () => {
  it('cuts the same window out of image and labels, whole sides where the image is small', () => {
    fc.assert(
      fc.property(sides, sides, fc.nat(), ([height, width], [cropHeight, cropWidth], seed) => {
        const sample = coordinateSample(height, width);
        const { image, labels } = apply(sample, [{ type: 'randomCrop', size: [cropHeight, cropWidth] }], seed);
        const size = [Math.min(height, cropHeight), Math.min(width, cropWidth)];
        expect(image.shape).toEqual([...size, 3]);
        expect(labels!.shape).toEqual(size);
        const [left, top] = [image.get(0, 0, 0), image.get(0, 0, 1)];
        expect(top + size[0]!).toBeLessThanOrEqual(height);
        expect(left + size[1]!).toBeLessThanOrEqual(width);
        for (let y = 0; y < size[0]!; y++)
          for (let x = 0; x < size[1]!; x++) {
            expect([image.get(y, x, 0), image.get(y, x, 1)]).toEqual([left + x, top + y]);
            expect(labels!.get(y, x)).toBe(sample.labels.get(top + y, left + x));
          }
      }),
      { numRuns: 50 },
    );
  });

  it('takes the first of ten windows that is varied enough, else the eleventh', () => {
    const patches = fc.array(fc.constantFrom(0, 0, 0, 1, 2, 255), { minLength: 9, maxLength: 9 });
    let given = 0;
    let first = 0;
    fc.assert(
      fc.property(patches, fc.nat(), fc.constantFrom(0.5, 0.75, 0.9), (classes, seed, catMaxRatio) => {
        // A board of 3 × 3 patches, each of one class.
        const sample = coordinateSample(15, 21, (y, x) => classes[Math.floor(y / 5) * 3 + Math.floor(x / 7)]!);
        const size = [6, 5] as const;
        const random = stream(seed);
        const draw = (): number[] => [random.integer(15 - 6 + 1), random.integer(21 - 5 + 1)];
        let window = draw();
        let tries = 0;
        for (; tries < 10; tries++) {
          const [share, count] = windowOf(sample.labels, window, [...size]);
          if (count > 1 && share < catMaxRatio) break;
          window = draw();
        }
        if (tries === 10) given++;
        if (tries === 0) first++;
        const { image } = apply(sample, [{ type: 'randomCrop', size, catMaxRatio }], seed);
        expect([image.get(0, 0, 1), image.get(0, 0, 0)]).toEqual(window);
      }),
      { numRuns: 200, seed: 1 },
    );
    // Both ends of the rule were met.
    expect(given).toBeGreaterThan(5);
    expect(first).toBeGreaterThan(5);
  });

  it('reaches every window, about as often as any other', () => {
    const sample = coordinateSample(4, 5);
    const seen = new Map<string, number>();
    for (let seed = 0; seed < 3000; seed++) {
      const { image } = apply(sample, [{ type: 'randomCrop', size: [3, 3] }], seed);
      const corner = `${image.get(0, 0, 1)} ${image.get(0, 0, 0)}`;
      seen.set(corner, (seen.get(corner) ?? 0) + 1);
    }
    expect([...seen.keys()].sort()).toEqual(['0 0', '0 1', '0 2', '1 0', '1 1', '1 2']);
    // 500 expected; the standard deviation is 20.
    for (const count of seen.values()) expect(Math.abs(count - 500)).toBeLessThan(100);
  });

  it('needs labels for the share of a class', () => {
    const { image, originalSize } = coordinateSample(4, 4);
    const bare = { name: 'bare', image, originalSize };
    expect(apply(bare, [{ type: 'randomCrop', size: [2, 2] }]).image.shape).toEqual([2, 2, 3]);
    expect(() => apply(bare, [{ type: 'randomCrop', size: [2, 2], catMaxRatio: 0.75 }])).toThrow(/bare has no labels/);
  });
});

describe('randomFlip', () => {
  it.each(['horizontal', 'vertical'] as const)('%s: mirrors image and labels, and twice is nothing', (direction) => {
    fc.assert(
      fc.property(sides, ([height, width]) => {
        const sample = coordinateSample(height, width);
        const flip: TransformConfig = { type: 'randomFlip', probability: 1, direction };
        const { image, labels } = apply(sample, [flip]);
        for (let y = 0; y < height; y++)
          for (let x = 0; x < width; x++) {
            const from = direction === 'horizontal' ? [y, width - 1 - x] : [height - 1 - y, x];
            expect([image.get(y, x, 1), image.get(y, x, 0), image.get(y, x, 2)]).toEqual([...from, 200]);
            expect(labels!.get(y, x)).toBe(sample.labels.get(...from));
          }
        const twice = apply(sample, [flip, flip]);
        expect(valuesOf(twice.image)).toEqual(valuesOf(sample.image));
        expect(valuesOf(twice.labels!)).toEqual(valuesOf(sample.labels));
      }),
      { numRuns: 30 },
    );
  });

  it('happens as often as asked', () => {
    const sample = coordinateSample(1, 2);
    const share = (probability: number) => {
      const config: TransformConfig[] = [{ type: 'randomFlip', probability }];
      const results = Array.from({ length: 2000 }, (_, seed) => apply(sample, config, seed).image.get(0, 0, 0));
      return results.reduce((sum, value) => sum + value, 0) / 2000;
    };
    expect(share(0)).toBe(0);
    expect(share(1)).toBe(1);
    expect(Math.abs(share(0.5) - 0.5)).toBeLessThan(0.05);
    expect(Math.abs(share(0.2) - 0.2)).toBeLessThan(0.05);
  });
});

/** The distortion as mmsegmentation's docstring and code tell it, pixel by pixel. */
function plainDistortion(image: RgbImage, random: Random): number[] {
  const f = Math.fround;
  const convert = (x: number, alpha: number, beta: number): number =>
    Math.trunc(Math.min(255, Math.max(0, f(f(f(x) * f(alpha)) + f(beta)))));
  const coin = (): boolean => random.integer(2) === 1;
  const rgb = (values: number[]): RgbImage => ndarray(Uint8Array.from(values), [values.length / 3, 1, 3]);
  let pixels = valuesOf(image);
  const contrast = (): void => {
    if (!coin()) return;
    const alpha = random.uniform(0.5, 1.5);
    pixels = pixels.map((x) => convert(x, alpha, 0));
  };
  if (coin()) {
    const beta = random.uniform(-32, 32);
    pixels = pixels.map((x) => convert(x, 1, beta));
  }
  const mode = coin() ? 1 : 0;
  if (mode === 1) contrast();
  if (coin()) {
    const alpha = random.uniform(0.5, 1.5);
    const hsv = valuesOf(rgbToHsv(rgb(pixels))).map((x, i) => (i % 3 === 1 ? convert(x, alpha, 0) : x));
    pixels = valuesOf(hsvToRgb(rgb(hsv)));
  }
  if (coin()) {
    const shift = random.integer(36) - 18;
    const hsv = valuesOf(rgbToHsv(rgb(pixels))).map((x, i) => (i % 3 === 0 ? (x + shift + 180) % 180 : x));
    pixels = valuesOf(hsvToRgb(rgb(hsv)));
  }
  if (mode === 0) contrast();
  return pixels;
}

describe('photometricDistortion', () => {
  it('follows the rule to the last bit and leaves labels and sizes alone', () => {
    const pixels = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 36, maxLength: 36 });
    fc.assert(
      fc.property(pixels, fc.nat(), (values, seed) => {
        const sample = { ...coordinateSample(3, 4), image: ndarray(Uint8Array.from(values), [3, 4, 3]) };
        const result = apply(sample, [{ type: 'photometricDistortion' }], seed);
        expect(valuesOf(result.image)).toEqual(plainDistortion(sample.image, stream(seed)));
        expect(result.labels).toBe(sample.labels);
        expect(valuesOf(sample.image)).toEqual(values);
      }),
      { numRuns: 300 },
    );
  });

  it('does nothing at all when no change is allowed, but for the hue, which moves by whole steps', () => {
    const still: TransformConfig = {
      type: 'photometricDistortion',
      ...{ brightnessDelta: 0, contrastRange: [1, 1], saturationRange: [1, 1], hueDelta: 0 },
    };
    // Primary colours survive the way through HSV.
    const image = ndarray(Uint8Array.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9]), [2, 2, 3]);
    for (let seed = 0; seed < 40; seed++) {
      const result = apply({ name: 'x', image, originalSize: [2, 2] }, [still], seed);
      expect(valuesOf(result.image)).toEqual([...image.data]);
    }
  });
});

describe('normalize and pad', () => {
  it('normalises by ImageNet’s statistics, rounded once, and pads with the mean colour and ignored labels', () => {
    fc.assert(
      fc.property(sides, sides, ([height, width], [moreY, moreX]) => {
        const sample = coordinateSample(height, width);
        const size = [height + moreY - 1, width + moreX - 1] as const;
        const { image, labels } = apply(sample, [{ type: 'normalize' }, { type: 'pad', size }]);
        expect(image.shape).toEqual([...size, 3]);
        for (let y = 0; y < size[0]; y++)
          for (let x = 0; x < size[1]; x++) {
            const inside = y < height && x < width;
            const levels = [x, y, 200];
            const expected = levels.map((level, c) => {
              const [mean, std] = [Math.fround(IMAGENET_MEAN[c]!), Math.fround(IMAGENET_STD[c]!)];
              return inside ? Math.fround((level - mean) * (1 / std)) : 0;
            });
            expect([0, 1, 2].map((c) => image.get(y, x, c))).toEqual(expected);
            expect(labels!.get(y, x)).toBe(inside ? sample.labels.get(y, x) : 255);
          }
      }),
      { numRuns: 40 },
    );
  });

  it('pads bytes, flipped views and up to multiples; refuses to cut', () => {
    const sample = coordinateSample(2, 3);
    const flipped = apply(sample, [
      { type: 'randomFlip', probability: 1 },
      { type: 'pad', divisor: 4, imageValue: 7, labelValue: 3 },
    ]);
    expect(flipped.image.shape).toEqual([4, 4, 3]);
    expect([0, 1, 2, 3].map((x) => flipped.image.get(1, x, 0))).toEqual([2, 1, 0, 7]);
    expect(flipped.labels!.get(3, 0)).toBe(3);
    expect(apply(sample, [{ type: 'pad', divisor: 1 }])).toBe(sample);
    expect(() => apply(sample, [{ type: 'pad', size: [2, 2] }])).toThrow(/3 by 2 is 3 × 2 pixels, more than 2 × 2/);
  });
});

describe('compose', () => {
  const sample = coordinateSample(40, 60, (y, x) => (y + x) % 7);
  const transform = compose(trainTransforms({ scale: [80, 40], crop: [32, 32] }));

  it('runs the official training list', () => {
    const { image, labels } = transform(sample, key);
    expect([image.shape, labels!.shape]).toEqual([
      [32, 32, 3],
      [32, 32],
    ]);
    expect(image.data).toBeInstanceOf(Float32Array);
    expect(trainTransforms()).toEqual([
      { type: 'resize', scale: [2048, 512], ratioRange: [0.5, 2] },
      { type: 'randomCrop', size: [512, 512], catMaxRatio: 0.75 },
      { type: 'randomFlip', probability: 0.5 },
      { type: 'photometricDistortion' },
      { type: 'normalize' },
      { type: 'pad', size: [512, 512] },
    ]);
  });

  it('depends on seed, epoch and index, and on nothing else', () => {
    const run = (other: Partial<typeof key>) => valuesOf(transform(sample, { ...key, ...other }).image);
    const base = run({});
    run({ index: 1 });
    expect(run({})).toEqual(base);
    for (const other of [{ seed: 6 }, { epoch: 3 }, { index: 78 }]) expect(run(other)).not.toEqual(base);
  });

  it('gives each transform a stream of its own', () => {
    const crop = (catMaxRatio: number) =>
      compose([{ type: 'randomCrop', size: [20, 20], catMaxRatio }, { type: 'randomFlip' }]);
    // A crop that is drawn anew changes nothing about the flip behind it.
    for (let index = 0; index < 50; index++) {
      const flips = [1, 0].map((ratio) => {
        const { image } = crop(ratio)(sample, { ...key, index });
        return Math.sign(image.get(0, 1, 0) - image.get(0, 0, 0));
      });
      expect(flips[0]).toBe(flips[1]);
    }
  });

  it('takes data from a file and says what is wrong with it', () => {
    const from = (json: string) => () => compose(JSON.parse(json) as TransformConfig[]);
    expect(from('[{"type":"randomFlip"}]')).not.toThrow();
    expect(from('{"type":"randomFlip"}')).toThrow('transforms must be a list');
    expect(from('[{"type":"Resize"}]')).toThrow(
      'transforms[0]: expected a type of resize, resizeToMultiple, randomCrop, randomFlip, photometricDistortion, normalize, pad; got type "Resize"',
    );
    expect(from('[7]')).toThrow('got 7');
    expect(from('[{"type":"toString"}]')).toThrow('got type "toString"');
    expect(from('[{"type":"randomFlip"},{"type":"randomCrop"}]')).toThrow(
      "transforms[1] (randomCrop): 'size' must be a list of 2, each a whole number of at least 1, got nothing",
    );
    expect(from('[{"type":"randomFlip","prob":0.5}]')).toThrow(
      "transforms[0] (randomFlip) has no option 'prob'; it takes 'probability', 'direction'",
    );
    expect(from('[{"type":"randomFlip","probability":2}]')).toThrow('a number from 0 to 1, got 2');
    expect(from('[{"type":"randomFlip","direction":"diagonal"}]')).toThrow("one of 'horizontal', 'vertical', got");
    expect(from('[{"type":"resize"}]')).toThrow("'scale' must be two whole numbers, or there must be a ratioRange");
    expect(from('[{"type":"resize","scale":[2048,512],"ratioRange":[2,0.5]}]')).toThrow(
      'low at most high, got [2,0.5]',
    );
    expect(from('[{"type":"resize","scale":[2048,512],"ratioRange":[0,1]}]')).toThrow('each a number above 0');
    expect(from('[{"type":"resize","scale":[9,9],"keepRatio":"no"}]')).toThrow('true or false, got "no"');
    expect(from('[{"type":"normalize","std":[1,1,0]}]')).toThrow("'std' must be a list of 3, each a number above 0");
    expect(from('[{"type":"pad"}]')).toThrow('exactly one of them, got nothing');
    expect(from('[{"type":"pad","size":[8,8],"divisor":8}]')).toThrow('exactly one of them');
    expect(from('[{"type":"photometricDistortion","hueDelta":1.5}]')).toThrow('a whole number from 0 to 180');
    expect(from('[{"type":"normalize"},{"type":"resize","scale":[9,9]}]')).toThrow(
      'transforms[1] (resize) works on bytes: put it before transforms[0] (normalize)',
    );
  });
});
