import type { NdArray } from 'ndarray';
import type { RgbImage, Size } from '@ii/tensor/image';

/** Where files come from: a folder on disk, a folder that a user gave a page, generated data. Paths use `/`. */
export interface DirectorySource {
  /** What messages call `path`, for example its absolute path. */
  location(path: string): string;
  /** Names of the files directly in `folder`, in any order; `undefined` if there is no such folder. */
  list(folder: string): Promise<readonly string[] | undefined>;
  /** The content of a file. Rejects with an error that names it. */
  read(path: string): Promise<Uint8Array>;
}

/** Turns file contents into arrays. Each method rejects with an error that calls the file `name`. */
export interface ImageDecoder {
  /** A photo as RGB: EXIF orientation applied, grey expanded, alpha dropped. */
  image(bytes: Uint8Array, name: string): Promise<RgbImage>;
  /** Size of the photo as {@link image} would give it; reads the header only. */
  imageSize(bytes: Uint8Array, name: string): Promise<Size>;
  /** An annotation's stored values `[H, W]`: grey levels or palette indices, never colours. */
  annotation(bytes: Uint8Array, name: string): Promise<NdArray<Uint8Array>>;
}
