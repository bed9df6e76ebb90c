import ndarray, { type NdArray } from 'ndarray';
import { Random } from '@ii/tensor';
import { rgbImage, type RgbImage, type Size } from '@ii/tensor/image';
import { ADE20K_CLASS_NAMES } from './classes.js';
import { ADE20K_PALETTE } from './palette.js';
import type { DatasetAccess } from './dataset/index.js';

/** Options of {@link syntheticAde20k}. */
export interface SyntheticOptions {
  /** Pairs in each split. */
  readonly count: number;
  /** `[height, width]` of each photo. Default `[48, 64]`. */
  readonly size?: Size;
  /** Classes that occur: the first so many of the 150. Default 150. */
  readonly numClasses?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** A photo and its annotation. */
export interface SyntheticPair {
  readonly image: RgbImage;
  /** As in an annotation file: 0 unlabelled, k is class k − 1. */
  readonly annotation: NdArray<Uint8Array>;
}

/** A photo's noise: a channel differs from the class's colour by up to this much. */
const NOISE = 12;

/**
 * A picture of rectangles in the colours of their classes, with noise: simple enough to be learnt in a few steps. One
 * rectangle in ten is unlabelled. The same name gives the same picture.
 */
export function syntheticPair(name: string, options: Omit<SyntheticOptions, 'count'> = {}): SyntheticPair {
  const { size = [48, 64], numClasses = ADE20K_CLASS_NAMES.length, seed = 0 } = options;
  const [height, width] = size;
  const random = new Random(seed, name);
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
}

/**
 * A data set in the layout of `ADEChallengeData2016` that is made up as it is read: for tests and trials of any length,
 * without a file.
 */
export function syntheticAde20k(options: SyntheticOptions): DatasetAccess {
  const names = (split: string, suffix: string): string[] =>
    Array.from(
      { length: options.count },
      (_, i) => `ADE_${split === 'training' ? 'train' : 'val'}_${String(i + 1).padStart(8, '0')}${suffix}`,
    );
  const pairOf = (bytes: Uint8Array): SyntheticPair => syntheticPair(new TextDecoder().decode(bytes), options);
  return {
    source: {
      location: (path) => `synthetic:${path}`,
      list: async (folder) => {
        const [, kind, split = ''] = /^(images|annotations)\/(training|validation)$/.exec(folder) ?? [];
        return kind === undefined ? undefined : names(split, kind === 'images' ? '.jpg' : '.png');
      },
      // A file's content is the entry's name; photo and annotation are both drawn from it.
      read: async (path) => new TextEncoder().encode(path.replace(/^.*\/|\.[^.]*$/g, '')),
    },
    decoder: {
      image: async (bytes) => pairOf(bytes).image,
      imageSize: async (bytes) => pairOf(bytes).image.shape.slice(0, 2) as [number, number],
      annotation: async (bytes) => pairOf(bytes).annotation,
    },
  };
}
