import ndarray, { type NdArray } from 'ndarray';
import { FormatError } from '@ii/tensor';
import type { DatasetAccess, Sample } from '../src/index.js';

/** A file: `[kind, height, width, …values]`, where kind 1 is a photo and 2 an annotation. */
type File = Uint8Array;

export function photo(height: number, width: number): File {
  return Uint8Array.from([1, height, width, ...Array.from({ length: height * width * 3 }, (_, i) => i % 251)]);
}

export function annotation(height: number, width: number, values: readonly number[]): File {
  return Uint8Array.from([2, height, width, ...values]);
}

/** A data set in memory; a file whose content is too short counts as truncated. */
export function memoryAccess(files: Readonly<Record<string, File>>): DatasetAccess {
  const decode = (bytes: Uint8Array, name: string, kind: number, channels: number): [number, number, Uint8Array] => {
    const [got, height = 0, width = 0] = bytes;
    if (got !== kind) throw new FormatError(`${name} is not an image`);
    const pixels = bytes.slice(3);
    if (pixels.length < height * width * channels) throw new FormatError(`${name} is truncated or corrupt`);
    return [height, width, pixels];
  };
  return {
    source: {
      location: (path) => `mem:${path}`,
      list: async (folder) => {
        const inside = Object.keys(files).filter((path) => path.startsWith(`${folder}/`));
        const direct = inside.map((path) => path.slice(folder.length + 1)).filter((name) => !name.includes('/'));
        return inside.length > 0 ? direct.filter((name) => name !== '') : undefined;
      },
      read: async (path) => {
        const file = files[path];
        if (file === undefined) throw new FormatError(`no such file: mem:${path}`);
        return file;
      },
    },
    decoder: {
      image: async (bytes, name) => {
        const [height, width, pixels] = decode(bytes, name, 1, 3);
        return ndarray(pixels, [height, width, 3]);
      },
      imageSize: async (bytes, name) => {
        if (bytes[0] !== 1) throw new FormatError(`${name} is not an image`);
        return [bytes[1]!, bytes[2]!];
      },
      annotation: async (bytes, name) => {
        const [height, width, pixels] = decode(bytes, name, 2, 1);
        return ndarray(pixels, [height, width]);
      },
    },
  };
}

/**
 * A sample in which every pixel tells where it was: red is its column, green its row; the labels by a function of row
 * and column.
 */
export function coordinateSample(
  height: number,
  width: number,
  label: (y: number, x: number) => number = (y, x) => (y * 7 + x) % 5,
): Sample & { readonly labels: NdArray<Uint8Array>; readonly image: NdArray<Uint8Array> } {
  const image = ndarray(new Uint8Array(height * width * 3), [height, width, 3]);
  const labels = ndarray(new Uint8Array(height * width), [height, width]);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      image.set(y, x, 0, x);
      image.set(y, x, 1, y);
      image.set(y, x, 2, 200);
      labels.set(y, x, label(y, x));
    }
  }
  return { name: `${width} by ${height}`, image, labels, originalSize: [height, width] };
}

/** The values of any view, row by row. */
export function valuesOf(map: NdArray<Uint8Array> | NdArray<Float32Array>): number[] {
  const [height = 1, width = 1, channels] = map.shape;
  const values: number[] = [];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      if (channels === undefined) values.push(map.get(y, x));
      else for (let c = 0; c < channels; c++) values.push(map.get(y, x, c));
    }
  return values;
}
