import { attempt, describeMismatch, readAnnotation, type PairReader } from './load-pair.js';
import { SampleError } from './errors.js';
import { countLabels, describeOutOfRange } from './label-rule.js';
import type { PairList, SamplePair } from './pairs.js';

export interface ValidateOptions {
  /** Stops the check; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called after each photo. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number; readonly file: string }) => void;
  /**
   * `header` reads the photos' sizes only; `decode` reads every pixel and so finds truncated photos, at several times
   * the cost. Default `header`.
   */
  readonly photos?: 'header' | 'decode';
  /** Files read at the same time. Default 4. */
  readonly concurrency?: number;
}

/** Something wrong with a file. */
export interface DatasetIssue {
  readonly kind: 'missing-annotation' | 'missing-image' | 'size-mismatch' | 'label-out-of-range' | 'unreadable';
  readonly file: string;
  /** In words; names the file. */
  readonly message: string;
}

/** How much of a data set a class is. */
export interface ClassCount {
  readonly id: number;
  readonly name: string;
  /** Pixels labelled so. */
  readonly pixels: number;
  /** Photos with at least one such pixel. */
  readonly images: number;
}

/** What {@link validateDataset} found. */
export interface DatasetReport {
  /** True if there is no issue. */
  readonly valid: boolean;
  /** Photos in the data set. */
  readonly images: number;
  /** Annotations that could be read and counted. */
  readonly annotations: number;
  /** By photo, in the order of the data set; annotations without photo come last. */
  readonly issues: readonly DatasetIssue[];
  readonly classes: readonly ClassCount[];
  /** Pixels of all counted annotations, of any value. */
  readonly pixels: number;
  /** Pixels that are unlabelled or ignored. */
  readonly ignoredPixels: number;
  /** `ignoredPixels / pixels`; 0 without pixels. */
  readonly ignoredShare: number;
  /** Pixels with a value that is neither a class nor ignored. */
  readonly outOfRangePixels: number;
}

/**
 * Reads all files of a data set and reports what is wrong with them and what is in them. Only a few files are held at a
 * time.
 */
export async function validateDataset(
  reader: PairReader,
  pairs: PairList,
  classNames: readonly string[],
  options: ValidateOptions = {},
): Promise<DatasetReport> {
  const { signal, onProgress, photos = 'header', concurrency = 4 } = options;
  const { source, rule } = reader;
  const total = pairs.files.length;
  const missing = new Set(pairs.withoutAnnotation);
  const issues: DatasetIssue[][] = [];
  const pixelsOf = new Float64Array(rule.numClasses);
  const imagesOf = new Float64Array(rule.numClasses);
  let [annotations, pixels, ignoredPixels, outOfRangePixels, done] = [0, 0, 0, 0, 0];

  const checkOne = async (index: number, pair: SamplePair): Promise<void> => {
    const found: DatasetIssue[] = (issues[index] = []);
    const photo = source.location(pair.image);
    const size = await sizeOf(reader, pair, photos).catch(report(found));
    if (pair.annotation === undefined) return;
    const file = source.location(pair.annotation);
    if (missing.has(index)) {
      found.push({ kind: 'missing-annotation', file: photo, message: `no annotation for ${photo}: expected ${file}` });
      return;
    }
    const annotation = await readAnnotation(reader, pair).catch(report(found));
    if (annotation === undefined) return;
    const mismatch = size && describeMismatch(size, annotation, photo);
    if (mismatch !== undefined) found.push({ kind: 'size-mismatch', file, message: `${file} ${mismatch}` });
    const { classes, ignored, outOfRange } = countLabels(annotation, rule);
    if (outOfRange.length > 0) {
      const message = `${file} has ${describeOutOfRange(outOfRange, rule)}`;
      found.push({ kind: 'label-out-of-range', file, message });
    }
    annotations++;
    pixels += annotation.size;
    ignoredPixels += ignored;
    outOfRangePixels += outOfRange.reduce((sum, [, count]) => sum + count, 0);
    classes.forEach((count, id) => {
      pixelsOf[id]! += count;
      imagesOf[id]! += count > 0 ? 1 : 0;
    });
  };

  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < total) {
      signal?.throwIfAborted();
      const index = next++;
      const pair = pairs.pair(index);
      await checkOne(index, pair);
      signal?.throwIfAborted();
      onProgress?.({ done: ++done, total, file: source.location(pair.image) });
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(concurrency, total)) }, worker));

  const orphans = pairs.withoutImage.map((path): DatasetIssue => {
    const file = source.location(path);
    return { kind: 'missing-image', file, message: `no photo for the annotation ${file}` };
  });
  const all = [...issues.flat(), ...orphans];
  return {
    valid: all.length === 0,
    images: total,
    annotations,
    issues: all,
    classes: Array.from(pixelsOf, (count, id) => ({
      ...{ id, name: classNames[id]!, pixels: count, images: imagesOf[id]! },
    })),
    pixels,
    ignoredPixels,
    ignoredShare: pixels === 0 ? 0 : ignoredPixels / pixels,
    outOfRangePixels,
  };
}

/** Makes a file that cannot be read an issue; any other error goes on. */
function report(found: DatasetIssue[]): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof SampleError)) throw error;
    found.push({ kind: 'unreadable', file: error.file, message: error.message });
    return undefined;
  };
}

async function sizeOf(
  { source, decoder }: PairReader,
  { image }: SamplePair,
  photos: 'header' | 'decode',
): Promise<readonly [number, number]> {
  const name = source.location(image);
  return attempt(name, async () => {
    const bytes = await source.read(image);
    if (photos === 'header') return decoder.imageSize(bytes, name);
    const { shape } = await decoder.image(bytes, name);
    return [shape[0]!, shape[1]!];
  });
}
