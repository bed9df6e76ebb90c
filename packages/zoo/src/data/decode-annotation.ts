import { decode, type DecodedPng } from 'fast-png';
import ndarray, { type NdArray } from 'ndarray';
import { FormatError } from '@ii/tensor';
import { sniffContent } from '../images/sniff.js';

/**
 * The stored values of an annotation PNG: grey levels or palette indices of up to 8 bits, untouched by palette, gamma or
 * colour profile.
 *
 * @param name what messages call the file.
 * @returns `Uint8 [H, W]`.
 * @throws FormatError if it is no PNG, truncated or corrupt, has 16 bits a sample, or is in colour.
 */
export function decodeAnnotation(bytes: Uint8Array, name: string): NdArray<Uint8Array> {
  if (bytes.length === 0) throw new FormatError(`${name} is empty (0 bytes); expected a PNG annotation`);
  const { format, description } = sniffContent(bytes);
  if (format !== 'png') throw new FormatError(`${name} is not a PNG annotation: its content looks like ${description}`);
  let png: DecodedPng;
  try {
    png = decode(bytes, { checkCrc: true });
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`${name} is truncated or corrupt: get the whole file again (${detail})`, { cause });
  }
  const { width, height, channels, depth, data } = png;
  if (channels !== 1) {
    throw new FormatError(
      `${name} is a PNG in colour (${channels} channels); an annotation has one: 8-bit grey or palette, whose values are the labels`,
    );
  }
  if (depth === 16 || !(data instanceof Uint8Array)) {
    throw new FormatError(
      `${name} is a 16-bit PNG; an annotation has 8 bits: labels 0 to 255. Convert it, or decode a full ADE20K release's masks apart`,
    );
  }
  return ndarray(depth === 8 ? data.slice() : unpackBits(data, width, height, depth), [height, width]);
}

/** Samples of 1, 2 or 4 bits, one to a byte; each row of a PNG starts on a byte of its own. */
function unpackBits(data: Uint8Array, width: number, height: number, depth: number): Uint8Array {
  const values = new Uint8Array(width * height);
  const rowBytes = Math.ceil((width * depth) / 8);
  const mask = 2 ** depth - 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      values[y * width + x] = (data[y * rowBytes + (bit >> 3)]! >> (8 - depth - (bit & 7))) & mask;
    }
  }
  return values;
}
