import { Random } from '@ii/tensor';
import type { Size } from '@ii/tensor/image';
import type { DatasetAccess } from '../dataset/index.js';
import { drawScene, type Drawing, type SyntheticPair } from './scene.js';

const DEFAULT_SIZE: Size = [160, 160];

/** How synthetic pairs are made. */
export interface SyntheticOptions {
  /** `[height, width]` of each photo. Default `[160, 160]`. */
  readonly size?: Size;
  /** Default 0. */
  readonly seed?: number;
  /** What is drawn. Default `drawScene`. */
  readonly draw?: Drawing;
}

/** The pair called `name`: the same name, seed and size give the same picture on every platform, to the bit. */
export function syntheticPair(name: string, options: SyntheticOptions = {}): SyntheticPair {
  const { size = DEFAULT_SIZE, seed = 0, draw = drawScene } = options;
  return draw(new Random(seed, name), size);
}

/** Pairs whose annotation has not been asked for yet that are kept. */
const RECENT = 32;

/** Names of the entries of a split, as ADE20K's files are called. */
export const syntheticNames = (split: 'training' | 'validation', count: number): string[] =>
  Array.from(
    { length: count },
    (_, i) => `ADE_${split === 'training' ? 'train' : 'val'}_${String(i + 1).padStart(8, '0')}`,
  );

/**
 * A data set in the layout of `ADEChallengeData2016` that is drawn as it is read: of any length, without a file. No name
 * is in both splits, so neither is a picture.
 *
 * @param options `count`: pairs in each split.
 */
export function syntheticAde20k(options: SyntheticOptions & { readonly count: number }): DatasetAccess {
  const recent = new Map<string, SyntheticPair>();
  // Photo and annotation are asked for one after the other, of some entries at a time.
  const pairOf = (bytes: Uint8Array): SyntheticPair => {
    const name = new TextDecoder().decode(bytes);
    const pair = recent.get(name) ?? syntheticPair(name, options);
    if (!recent.delete(name)) recent.set(name, pair);
    if (recent.size > RECENT) recent.delete(recent.keys().next().value!);
    return pair;
  };
  return {
    source: {
      location: (path) => `synthetic:${path}`,
      list: async (folder) => {
        const [, kind, split] = /^(images|annotations)\/(training|validation)$/.exec(folder) ?? [];
        if (split !== 'training' && split !== 'validation') return undefined;
        const suffix = kind === 'images' ? '.jpg' : '.png';
        return syntheticNames(split, options.count).map((name) => name + suffix);
      },
      // A file's content is the entry's name; photo and annotation are both drawn from it.
      read: async (path) => new TextEncoder().encode(path.replace(/^.*\/|\.[^.]*$/g, '')),
    },
    decoder: {
      image: async (bytes) => pairOf(bytes).image,
      imageSize: async () => options.size ?? DEFAULT_SIZE,
      annotation: async (bytes) => pairOf(bytes).annotation,
    },
  };
}
