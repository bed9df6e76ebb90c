/**
 * The full ADE20K release (2021): object and part masks with thousands of classes, packed into the colours of
 * `NAME_seg.png` and `NAME_parts_1.png`, `NAME_parts_2.png`, … beside each photo `NAME.jpg`.
 */
import ndarray, { type NdArray } from 'ndarray';
import { FormatError } from '@ii/tensor';
import { IGNORE_INDEX, labelValues, rgbBytes, type RgbInput } from '@ii/tensor/image';
import { ADE20K_CLASSES } from './classes.js';

/** What one mask of the release says about each pixel. All maps are `[H, W]`. */
export interface ReleaseMask {
  /** Class number: 0 where there is no object or part, else 1-based in the release's list of names. */
  readonly classes: NdArray<Uint16Array>;
  /**
   * Instance number, counted from 0 over the distinct values of the mask in rising order, as the release's own tools
   * number them: instances of all classes share one count, and 0 is the background where there is any.
   */
  readonly instances: NdArray<Uint8Array>;
}

/** From the release's classes to the 150 of the scene parsing benchmark. */
export interface BenchmarkMapping {
  /** Benchmark id by class number of the release; 255 where there is none. Entry 0 is the background. */
  readonly ids: Uint8Array;
  /** Benchmark ids that no class of the release maps to. */
  readonly unmatched: readonly number[];
}

/** Names of the mask files that belong to a photo: `ADE_train_1.jpg` has `ADE_train_1_seg.png` and so on. */
export function releaseMaskNames(photo: string): { readonly objects: string; parts(level: number): string } {
  const stem = photo.replace(/\.[^./]*$/, '');
  return { objects: `${stem}_seg.png`, parts: (level) => `${stem}_parts_${level}.png` };
}

/**
 * Unpacks a `_seg.png` or `_parts_N.png`: the class is `⌊R / 10⌋ · 256 + G`, the instance comes from B.
 *
 * @param mask the PNG's colours `Uint8 [H, W, 3]`, any strides, without colour management.
 * @throws ShapeError if it is not `[H, W, 3]`; DTypeError if its elements are not bytes.
 */
export function decodeReleaseMask(mask: RgbInput): ReleaseMask {
  const bytes = rgbBytes(mask, 'decodeReleaseMask');
  const shape = [mask.shape[0]!, mask.shape[1]!];
  const classes = new Uint16Array(bytes.length / 3);
  const instances = new Uint8Array(classes.length);
  const seen = new Uint8Array(256);
  for (let i = 0, at = 0; i < classes.length; i++, at += 3) {
    classes[i] = Math.floor(bytes[at]! / 10) * 256 + bytes[at + 1]!;
    instances[i] = bytes[at + 2]!;
    seen[instances[i]!] = 1;
  }
  let count = 0;
  const rank = seen.map((present) => (present ? count++ : 0));
  for (let i = 0; i < instances.length; i++) instances[i] = rank[instances[i]!]!;
  return { classes: ndarray(classes, shape), instances: ndarray(instances, shape) };
}

/** The names in one entry of a class list, in lower case. */
function synonymsOf(entry: string): string[] {
  return entry
    .toLowerCase()
    .split(/[,;]/)
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/**
 * Finds the benchmark's classes in the release's list of names. A class matches one of the benchmark whose synonyms are
 * the same; failing that, one with the same first name and no synonym that the benchmark's class lacks (`door` is `door,
 * double door`). Single words in common are not enough: `tank, army tank` is no `tank, storage tank`.
 *
 * @param names the release's object names in the order of its index (`objectnames`), the first being class number 1.
 * @param aliases benchmark id (or 255 for none) by entry of `names`, for what names alone do not tell; goes first.
 * @throws FormatError if an alias is for an entry that is not in `names`, or is no benchmark id.
 */
export function benchmarkMapping(
  names: readonly string[],
  aliases: Readonly<Record<string, number>> = {},
): BenchmarkMapping {
  const unknown = Object.keys(aliases).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new FormatError(`the alias '${unknown}' is not in the release's list of names`);
  const invalid = Object.entries(aliases).find(([, id]) => id !== IGNORE_INDEX && ADE20K_CLASSES[id] === undefined);
  if (invalid)
    throw new FormatError(`the alias '${invalid[0]}' has id ${invalid[1]}; expected 0 to 149, or 255 for none`);

  const key = (synonyms: readonly string[]): string => [...synonyms].sort().join(';');
  const bySynonyms = new Map(ADE20K_CLASSES.map(({ id, synonyms }) => [key(synonyms), id]));
  const byFirst = new Map(ADE20K_CLASSES.map(({ name, synonyms, id }) => [name, { id, synonyms: new Set(synonyms) }]));
  const idOf = (name: string): number => {
    const alias = Object.hasOwn(aliases, name) ? aliases[name] : undefined;
    if (alias !== undefined) return alias;
    const synonyms = synonymsOf(name);
    const exact = bySynonyms.get(key(synonyms));
    if (exact !== undefined) return exact;
    const first = byFirst.get(synonyms[0] ?? '');
    return first && synonyms.every((synonym) => first.synonyms.has(synonym)) ? first.id : IGNORE_INDEX;
  };
  const ids = Uint8Array.from([IGNORE_INDEX, ...names.map(idOf)]);
  const matched = new Set(ids);
  return { ids, unmatched: ADE20K_CLASSES.map(({ id }) => id).filter((id) => !matched.has(id)) };
}

/**
 * Class numbers of the release as benchmark ids `[H, W]`, 255 where there is none.
 *
 * @throws FormatError if a class number is beyond the list that the mapping was made from.
 */
export function toBenchmarkLabels(classes: NdArray<Uint16Array>, { ids }: BenchmarkMapping): NdArray<Uint8Array> {
  const values = labelValues(classes, 'toBenchmarkLabels');
  const labels = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value >= ids.length) {
      throw new FormatError(
        `the mask has class number ${value}, but the list of names ends at ${ids.length - 1}: it is of another release, or the mask is no _seg.png`,
      );
    }
    labels[i] = ids[value]!;
  }
  return ndarray(labels, [...classes.shape]);
}
