/** What a file is, told from its first bytes rather than its name. */
import type { ByteSource } from '@ii/tensor';

const startLength = 512;

/** The first bytes of `source`, 512 or as many as there are. */
export function startOf(source: ByteSource, signal?: AbortSignal): Promise<Uint8Array> {
  return source.read(0, Math.min(source.size, startLength), signal);
}

/** Whether a file that begins with `start` is a zip archive. */
export function isZip(start: Uint8Array): boolean {
  return hasBytes(start, 0, [0x50, 0x4b, 0x03, 0x04]) || hasBytes(start, 0, [0x50, 0x4b, 0x05, 0x06]);
}

/** Whether a file of `size` bytes that begins with `start` is a safetensors file: a header's length, then the header. */
export function isSafetensors(size: number, start: Uint8Array): boolean {
  if (start.length < 10 || start[8] !== 0x7b) return false;
  return new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true) <= BigInt(size - 8);
}

const signatures: ReadonlyArray<readonly [number, readonly number[] | string, string]> = [
  [0, [0x89, 0x50, 0x4e, 0x47], 'is a PNG image'],
  [0, [0xff, 0xd8, 0xff], 'is a JPEG image'],
  [0, 'GIF8', 'is a GIF image'],
  [0, '%PDF', 'is a PDF document'],
  [0, [0x1f, 0x8b], 'is compressed with gzip; unpack it first'],
  [0, [0xfd, 0x37, 0x7a, 0x58, 0x5a], 'is compressed with xz; unpack it first'],
  [0, [0x28, 0xb5, 0x2f, 0xfd], 'is compressed with zstd; unpack it first'],
  [0, '7z\xbc\xaf', 'is a 7z archive; unpack it first'],
  [
    257,
    'ustar',
    'is a tar archive; unpack it first (PyTorch before 0.1.10 wrote such checkpoints: load and save it again)',
  ],
  [0, [0x89, 0x48, 0x44, 0x46], 'is an HDF5 file, as Keras writes; only PyTorch and safetensors files can be read'],
  [0, 'GGUF', 'is a GGUF file; only PyTorch and safetensors files can be read'],
  [0, [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59], 'is a numpy array; only PyTorch and safetensors files can be read'],
  [0, 'version https://git-lfs', 'is a Git LFS pointer, not the file it points to; fetch it with `git lfs pull`'],
];

/** A few words, to follow “the file …”, on what a file of `size` bytes that begins with `start` looks like. */
export function describeContent(size: number, start: Uint8Array): string {
  if (size === 0) return 'is empty';
  for (const [offset, signature, words] of signatures) {
    if (hasBytes(start, offset, signature)) return words;
  }
  if (start.every((byte) => byte === 0)) return 'begins with nothing but zeros; a download was probably not finished';
  const text = printable(start);
  if (text === undefined) {
    const hex = [...start.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    return `begins with the bytes ${hex}, which is no known checkpoint format`;
  }
  const sample = JSON.stringify(text.trim().replace(/\s+/g, ' ').slice(0, 40));
  if (/^\s*(?:<!doctype html|<html)/i.test(text)) return `is a web page (${sample}), as failed downloads often are`;
  return `is text that begins with ${sample}`;
}

function hasBytes(start: Uint8Array, offset: number, signature: readonly number[] | string): boolean {
  const expected = typeof signature === 'string' ? Array.from(signature, (char) => char.charCodeAt(0)) : signature;
  return expected.every((byte, index) => start[offset + index] === byte);
}

/** `bytes` as text when they are nothing but that. */
function printable(bytes: Uint8Array): string | undefined {
  // A character may be cut at the end, so decoding goes on as in a stream.
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return [...text].some((char) => char < ' ' && !'\t\n\r\f'.includes(char)) ? undefined : text;
  } catch {
    return undefined;
  }
}
