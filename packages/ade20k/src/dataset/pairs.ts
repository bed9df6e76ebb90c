import { DatasetError } from './errors.js';
import type { DirectorySource } from './source.js';

/** Which files are the photos and annotations. */
export interface DatasetLayout {
  /** Folder of the photos. */
  readonly images: string;
  /** Folder of the annotations; without one the data set has photos only. */
  readonly annotations?: string;
  /** End of a photo's file name, cut off to get the entry's name. Default: `.jpg`, `.jpeg`, `.png` or `.webp`. */
  readonly imageSuffix?: string;
  /** Put behind the entry's name to get the annotation's file name. Default `.png`. */
  readonly annotationSuffix?: string;
}

/** The files of one entry. */
export interface SamplePair {
  /** File name of the photo without its suffix. */
  readonly name: string;
  /** Path of the photo. */
  readonly image: string;
  /** Path of the annotation, whether or not there is one; absent in a data set of photos only. */
  readonly annotation?: string;
}

/** The entries of a data set, by name; only names are held. */
export interface PairList {
  /** Sorted by file name, in code unit order. */
  readonly files: readonly string[];
  pair(index: number): SamplePair;
  /** Indices of photos without annotation. */
  readonly withoutAnnotation: readonly number[];
  /** Paths of annotations without photo. */
  readonly withoutImage: readonly string[];
}

const IMAGE_SUFFIX = /\.(jpe?g|png|webp)$/i;

/**
 * Lists a data set's files and finds their pairs.
 *
 * @throws DatasetError if a folder is missing, or there is no photo.
 */
export async function listPairs(source: DirectorySource, layout: DatasetLayout): Promise<PairList> {
  const { images, annotations, imageSuffix, annotationSuffix = '.png' } = layout;
  const stem = (file: string): string =>
    imageSuffix === undefined ? file.replace(IMAGE_SUFFIX, '') : file.slice(0, file.length - imageSuffix.length);
  const isImage = (file: string): boolean =>
    imageSuffix === undefined ? IMAGE_SUFFIX.test(file) : file.endsWith(imageSuffix);

  const files = (await listFolder(source, images, 'photos')).filter((file) => !file.startsWith('.') && isImage(file));
  if (files.length === 0) {
    const expected = imageSuffix === undefined ? '.jpg, .png or .webp files' : `files ending in '${imageSuffix}'`;
    throw new DatasetError(`no photos in ${source.location(images)}: expected ${expected}`);
  }
  files.sort();

  const present = new Set(annotations === undefined ? [] : await listFolder(source, annotations, 'annotations'));
  const withoutAnnotation: number[] = [];
  if (annotations !== undefined) {
    files.forEach((file, index) => {
      if (!present.delete(stem(file) + annotationSuffix)) withoutAnnotation.push(index);
    });
  }
  const left = [...present].filter((file) => !file.startsWith('.') && file.endsWith(annotationSuffix)).sort();
  return {
    files,
    pair: (index) => {
      const file = files[index];
      if (file === undefined) throw new RangeError(`no entry ${index}: the data set has ${files.length}`);
      const name = stem(file);
      return {
        name,
        image: `${images}/${file}`,
        ...(annotations !== undefined && { annotation: `${annotations}/${name}${annotationSuffix}` }),
      };
    },
    withoutAnnotation,
    withoutImage: left.map((file) => `${annotations}/${file}`),
  };
}

async function listFolder(source: DirectorySource, folder: string, what: string): Promise<string[]> {
  const names = await source.list(folder);
  if (names === undefined) throw new DatasetError(`no folder ${source.location(folder)} for the ${what}`);
  return [...names];
}
