import { encode } from 'fast-png';
import { DTypeError } from '@ii/tensor';
import { labelValues, rgbBytes, type LabelMap, type RgbInput } from '@ii/tensor/image';
import { loadSharp } from './sharp.js';
import { writeFileAtomic } from './write-file.js';

/** An 8-bit RGB PNG of `image` (`[H, W, 3]`, any strides). */
export async function encodeRgbPng(image: RgbInput): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const [height, width] = image.shape as [number, number, number];
  return sharp(rgbBytes(image, 'encodeRgbPng'), { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

/** A JPEG of `image` (`[H, W, 3]`, any strides), at a quality that shows no blocks and with full colour resolution. */
export async function encodeJpeg(image: RgbInput): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const [height, width] = image.shape as [number, number, number];
  return sharp(rgbBytes(image, 'encodeJpeg'), { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 95, chromaSubsampling: '4:4:4' })
    .toBuffer();
}

/**
 * An 8-bit greyscale PNG whose values are the class ids, as the annotation files of ADE20K are stored. No colour
 * management touches them.
 *
 * @param labels `Uint8 [H, W]`, any strides.
 * @throws DTypeError for 16-bit labels.
 */
export function encodeLabelPng(labels: LabelMap<Uint8Array>): Uint8Array {
  const data = labelValues(labels, 'encodeLabelPng');
  if (!(data instanceof Uint8Array)) {
    throw new DTypeError('encodeLabelPng: expected 8-bit labels (Uint8Array), got uint16; ids above 255 do not fit');
  }
  const [height, width] = labels.shape as [number, number];
  return encode({ width, height, data, channels: 1, depth: 8 });
}

/** Writes `image` as an RGB PNG, atomically. Throws WriteError if it cannot be written. */
export async function writeRgbPng(path: string, image: RgbInput): Promise<void> {
  await writeFileAtomic(path, await encodeRgbPng(image));
}

/** Writes `labels` as an 8-bit greyscale PNG, atomically. Throws WriteError if it cannot be written. */
export async function writeLabelPng(path: string, labels: LabelMap<Uint8Array>): Promise<void> {
  await writeFileAtomic(path, encodeLabelPng(labels));
}
