import type { NdArray } from 'ndarray';
import type { RgbImage, Size } from '@ii/tensor/image';
import type { Sample } from '../sample.js';
import { SampleError } from './errors.js';
import { applyLabelRule, describeOutOfRange, type LabelRule } from './label-rule.js';
import type { SamplePair } from './pairs.js';
import type { DirectorySource, ImageDecoder } from './source.js';

/** What reads files and gives their values a meaning. */
export interface PairReader {
  readonly source: DirectorySource;
  readonly decoder: ImageDecoder;
  readonly rule: LabelRule;
}

/** An entry as it is read: bytes, and class ids where the data set has annotations. */
export interface DecodedSample extends Sample {
  readonly image: RgbImage;
}

/**
 * Reads one entry.
 *
 * @throws SampleError, naming the file, if the annotation is missing, a file is unreadable or corrupt, the sizes differ,
 *   or a label is out of range.
 */
export async function loadPair({ source, decoder, rule }: PairReader, pair: SamplePair): Promise<DecodedSample> {
  const photo = source.location(pair.image);
  const image = await attempt(photo, async () => decoder.image(await source.read(pair.image), photo));
  const size = [image.shape[0]!, image.shape[1]!] as const;
  if (pair.annotation === undefined) return { name: pair.name, image, originalSize: size };

  const file = source.location(pair.annotation);
  const annotation = await readAnnotation({ source, decoder }, pair);
  const mismatch = describeMismatch(size, annotation, photo);
  if (mismatch !== undefined) throw new SampleError(`${file} ${mismatch}`, file);
  const result = applyLabelRule(annotation, rule);
  if ('outOfRange' in result) {
    throw new SampleError(`${file} has ${describeOutOfRange(result.outOfRange, rule)}`, file);
  }
  return { name: pair.name, image, labels: result.ids, originalSize: size };
}

/** The stored values of a pair's annotation; throws {@link SampleError} if it is missing or unreadable. */
export async function readAnnotation(
  { source, decoder }: Pick<PairReader, 'source' | 'decoder'>,
  { image, annotation = '' }: SamplePair,
): Promise<NdArray<Uint8Array>> {
  const file = source.location(annotation);
  let bytes: Uint8Array;
  try {
    bytes = await source.read(annotation);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SampleError(`no annotation for ${source.location(image)}: cannot read ${file} (${reason})`, file, {
      cause,
    });
  }
  return attempt(file, () => decoder.annotation(bytes, file));
}

/** How an annotation's size differs from its photo's, in words; `undefined` if it does not. */
export function describeMismatch(
  [height, width]: Size,
  { shape }: NdArray<Uint8Array>,
  photo: string,
): string | undefined {
  if (shape[0] === height && shape[1] === width) return undefined;
  return `is ${shape[1]} × ${shape[0]} pixels, but its photo ${photo} is ${width} × ${height}`;
}

/** Runs a step of reading `file`; what fails becomes a {@link SampleError}. */
export async function attempt<T>(file: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    if (cause instanceof SampleError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new SampleError(message.includes(file) ? message : `${file}: ${message}`, file, { cause });
  }
}
