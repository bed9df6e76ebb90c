import { open } from 'node:fs/promises';
import type { NdArray } from 'ndarray';
import type { SharpOptions } from 'sharp';
import { FormatError, IIError } from '@ii/tensor';
import { rgbImage } from '@ii/tensor/image';
import { loadSharp } from './sharp.js';
import { sniffContent } from './sniff.js';

/** 2²⁷ pixels (134 megapixels): above any ordinary camera, and 400 MB once decoded. */
export const DEFAULT_MAX_PIXELS = 2 ** 27;

/** Options of {@link decodeImage}. */
export interface DecodeOptions {
  /** Larger images are refused from their header, before anything is decoded. Default {@link DEFAULT_MAX_PIXELS}. */
  readonly maxPixels?: number;
  /** What messages call an image given as bytes. Default `image`. */
  readonly name?: string;
}

/** An image file cannot be opened or read. */
export class ImageReadError extends IIError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_IMAGE_READ', message, options);
  }
}

/** An image has more pixels than the limit. */
export class ImageTooLargeError extends IIError {
  constructor(
    name: string,
    readonly width: number,
    readonly height: number,
    readonly maxPixels: number,
  ) {
    const mega = (pixels: number): string => `${(pixels / 1e6).toFixed(pixels < 1e7 ? 1 : 0)} megapixels`;
    super(
      'ERR_IMAGE_TOO_LARGE',
      `${name} is ${width} × ${height} pixels, ${mega(width * height)}; the limit is ${mega(maxPixels)}: make the image smaller, or raise maxPixels`,
    );
  }
}

/**
 * Reads a JPEG, PNG or WebP image with the pixels that OpenCV's `imread` gives: the EXIF orientation is applied, grey
 * becomes RGB, alpha is dropped without blending, 16-bit samples keep their high byte, colour profiles are ignored, and
 * CMYK is converted by OpenCV's formula. The rest comes from libjpeg-turbo, libpng and libwebp, so JPEGs agree with
 * OpenCV's to the last bit.
 *
 * @param source Path of a file, or the bytes of one.
 * @returns `Uint8 [H, W, 3]`, RGB, contiguous.
 * @throws ImageReadError if there is no such file, or it is a directory or cannot be read.
 * @throws FormatError if the content is empty, no supported image, truncated or corrupt.
 * @throws ImageTooLargeError if the image has more than `maxPixels` pixels.
 */
export async function decodeImage(
  source: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<NdArray<Uint8Array>> {
  const { maxPixels = DEFAULT_MAX_PIXELS } = options;
  const name = options.name ?? (typeof source === 'string' ? source : 'image');
  const bytes = typeof source === 'string' ? await readImageFile(source) : source;
  requireImage(bytes, name);

  const sharp = await loadSharp();
  // The limit is checked here, with a better message than the library's.
  const input: SharpOptions = { failOn: 'error', autoOrient: true, ignoreIcc: true, limitInputPixels: false };
  const describe = (cause: unknown): FormatError => {
    const detail = cause instanceof Error ? cause.message.split('\n')[0]! : String(cause);
    // The library keeps its messages in one place for all threads, where one may take another's: then it says 'Unknown error'.
    const truncated = /premature end|read error|truncated|unable to parse|not enough data|end of|unknown error/i.test(
      detail,
    );
    const reason = truncated ? 'is truncated or corrupt: get the whole file again' : 'is corrupt';
    return new FormatError(`${name} ${reason} (${detail})`, { cause });
  };

  const header = await sharp(bytes, input)
    .metadata()
    .catch((cause: unknown) => {
      throw describe(cause);
    });
  const { width, height, space } = header;
  if (width * height > maxPixels) throw new ImageTooLargeError(name, width, height, maxPixels);

  const cmyk = space === 'cmyk';
  const pipeline = cmyk
    ? sharp(bytes, input).pipelineColourspace('cmyk').toColourspace('cmyk')
    : sharp(bytes, input).removeAlpha().toColourspace('srgb');
  const { data, info } = await pipeline
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw describe(cause);
    });
  const pixels = cmyk ? cmykToRgb(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (pixels.length !== info.width * info.height * 3) {
    throw new FormatError(
      `${name} decodes to ${info.channels} channels (colour space ${space}); convert it to an RGB JPEG or PNG first`,
    );
  }
  return rgbImage([info.height, info.width], pixels);
}

/** Reads a file after a look at its first bytes, so that a wrong file of gigabytes is not read whole. */
async function readImageFile(path: string): Promise<Uint8Array> {
  try {
    const file = await open(path);
    try {
      const stat = await file.stat();
      if (stat.isDirectory()) throw new ImageReadError(`${path} is a directory; give the path of an image file`);
      const head = new Uint8Array(64);
      const { bytesRead } = await file.read(head, 0, head.length, 0);
      requireImage(head.subarray(0, bytesRead), path);
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof IIError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new ImageReadError(`no such file: ${path}`, { cause });
    }
    if (code === 'EACCES' || code === 'EPERM') {
      throw new ImageReadError(`${path} cannot be read: permission denied`, { cause });
    }
    throw new ImageReadError(`${path} cannot be read: ${message}`, { cause });
  }
}

function requireImage(head: Uint8Array, name: string): void {
  if (head.length === 0) throw new FormatError(`${name} is empty (0 bytes); expected a JPEG, PNG or WebP image`);
  const { format, description } = sniffContent(head);
  if (format === undefined) {
    throw new FormatError(`${name} is not a JPEG, PNG or WebP image: its content looks like ${description}`);
  }
}

/** OpenCV's conversion, on ink amounts (255 = full ink): `k' − (c · k' >> 8)` with `k' = 255 − k`. */
function cmykToRgb(inks: Uint8Array): Uint8Array<ArrayBuffer> {
  const rgb = new Uint8Array((inks.length / 4) * 3);
  for (let i = 0, out = 0; i < inks.length; i += 4) {
    const light = 255 - inks[i + 3]!;
    for (let c = i; c < i + 3; c++) rgb[out++] = light - ((inks[c]! * light) >> 8);
  }
  return rgb;
}
