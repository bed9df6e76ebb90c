import { ADE20K_CLASS_NAMES } from '../classes.js';
import { DatasetError } from './errors.js';
import { requireLabelRule, type LabelConvention, type LabelRule } from './label-rule.js';
import { loadPair, type DecodedSample, type PairReader } from './load-pair.js';
import { listPairs, type DatasetLayout, type PairList, type SamplePair } from './pairs.js';
import type { DirectorySource, ImageDecoder } from './source.js';
import { validateDataset, type DatasetReport, type ValidateOptions } from './validate.js';

/** How to read a data set: where files come from and how they are decoded. */
export interface DatasetAccess {
  readonly source: DirectorySource;
  readonly decoder: ImageDecoder;
}

/** A data set of one's own. */
export interface DatasetOptions extends DatasetAccess, DatasetLayout {
  /** Names of the classes, by id; 1 to 255. */
  readonly classNames: readonly string[];
  /** What the annotations' values mean; there is no default, as a wrong guess trains the wrong classes. */
  readonly labels: LabelConvention;
}

/** The two parts of ADE20K with public annotations. */
export type Ade20kSplit = 'training' | 'validation';

/**
 * Photos with annotations, listed by file name. Nothing but the names is held: 20,000 entries take a few megabytes.
 */
export class SegmentationDataset {
  readonly classNames: readonly string[];
  /** How annotation values become class ids. */
  readonly rule: LabelRule;
  readonly #reader: PairReader;
  readonly #pairs: PairList;

  /** Use {@link openDataset} or {@link openAde20k}. */
  constructor(access: DatasetAccess, pairs: PairList, classNames: readonly string[], labels: LabelConvention) {
    this.classNames = classNames;
    this.rule = { labels, numClasses: classNames.length };
    requireLabelRule(this.rule);
    this.#reader = { source: access.source, decoder: access.decoder, rule: this.rule };
    this.#pairs = pairs;
  }

  /** Number of photos. */
  get length(): number {
    return this.#pairs.files.length;
  }

  get numClasses(): number {
    return this.rule.numClasses;
  }

  /** What messages call the photos that have no annotation. Empty for a data set of photos only. */
  get missingAnnotations(): readonly string[] {
    return this.#pairs.withoutAnnotation.map((index) => this.#reader.source.location(this.pair(index).image));
  }

  /**
   * Name and files of an entry, sorted by file name.
   *
   * @throws RangeError if there is no such entry.
   */
  pair(index: number): SamplePair {
    return this.#pairs.pair(index);
  }

  /**
   * Reads an entry: `image` `Uint8 [H, W, 3]`, `labels` class ids `[H, W]` with 255 where ignored.
   *
   * @throws SampleError, naming the file: missing annotation, unreadable or corrupt file, sizes that differ, a label
   *   out of range. RangeError if there is no such entry.
   */
  load(index: number): Promise<DecodedSample> {
    return loadPair(this.#reader, this.pair(index));
  }

  /**
   * Reads every file and reports what is wrong (sizes that do not match, labels out of range, missing pairs, unreadable
   * files) and what is there (pixels and photos per class, ignored share).
   */
  validate(options: ValidateOptions = {}): Promise<DatasetReport> {
    return validateDataset(this.#reader, this.#pairs, this.classNames, options);
  }
}

/**
 * Opens a data set of one's own folders.
 *
 * @throws DatasetError if a folder is missing, there is no photo, or the class list or label convention is invalid.
 */
export async function openDataset(options: DatasetOptions): Promise<SegmentationDataset> {
  const { classNames, labels } = options;
  requireLabelRule({ labels, numClasses: classNames.length });
  return new SegmentationDataset(options, await listPairs(options.source, options), classNames, labels);
}

/**
 * Opens one split of `ADEChallengeData2016`: `images/{split}/*.jpg` with `annotations/{split}/*.png`, in the source's
 * root or in a folder `ADEChallengeData2016` of it.
 *
 * @throws DatasetError if the folders are missing or hold no photo.
 */
export async function openAde20k(access: DatasetAccess, split: Ade20kSplit): Promise<SegmentationDataset> {
  if (split !== 'training' && split !== 'validation') {
    throw new DatasetError(`ADE20K has the splits 'training' and 'validation', got '${String(split)}'`);
  }
  const inside = 'ADEChallengeData2016';
  const root = (await access.source.list(inside)) === undefined ? '' : `${inside}/`;
  return openDataset({
    ...access,
    images: `${root}images/${split}`,
    annotations: `${root}annotations/${split}`,
    imageSuffix: '.jpg',
    classNames: ADE20K_CLASS_NAMES,
    labels: 'ade20k',
  });
}
