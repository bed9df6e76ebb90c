/** The photos of one run: all are decoded before any work, so that a bad one is reported at once. */
import type { RgbImage } from '@ii/tensor/image';
import { decodeImage } from '../images/index.js';

/** Decoded photos that are kept together; the rest are decoded again when their turn comes. */
const KEPT_BYTES = 2 ** 29;

export interface Photo {
  readonly path: string;
  /** `[height, width]`. */
  readonly size: readonly [number, number];
  /** Milliseconds that decoding took. */
  readonly decodeMs: number;
  load(): Promise<RgbImage>;
}

/** @throws what `decodeImage` throws for the first photo that cannot be read; the signal's reason when aborted. */
export async function readPhotos(
  paths: readonly string[],
  signal: AbortSignal,
  onProgress: (done: number) => void,
): Promise<Photo[]> {
  const photos: Photo[] = [];
  let kept = 0;
  for (const path of paths) {
    signal.throwIfAborted();
    const start = performance.now();
    const image = await decodeImage(path);
    const decodeMs = performance.now() - start;
    const [height, width] = image.shape as [number, number, number];
    const keep = kept + image.data.byteLength <= KEPT_BYTES;
    if (keep) kept += image.data.byteLength;
    photos.push({ path, size: [height, width], decodeMs, load: keep ? async () => image : () => decodeImage(path) });
    onProgress(photos.length);
  }
  return photos;
}
