import { FormatError } from '../errors.js';

/**
 * Random access to bytes that need not be in memory: a file, a blob, an HTTP resource. Checkpoint readers take one of
 * these and read only the ranges that they need.
 */
export interface ByteSource {
  /** What messages call it: a file name or an address. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `offset`. The result may share memory with the source: do not write to it.
   *
   * @throws FormatError when the range is not inside the source, or the source turns out to be shorter than `size`.
   * @throws the signal's reason when `signal` is aborted.
   */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** Gives back what the source holds open; reading afterwards fails. May be called twice. */
  close?(): Promise<void>;
}

/**
 * Rejects a range that is not inside `source`: every {@link ByteSource} calls it before it reads or allocates.
 *
 * @throws FormatError for a range that is negative, fractional or past the end.
 */
export function checkByteRange(source: { name: string; size: number }, offset: number, length: number): void {
  const valid = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!valid || offset > source.size - length) {
    throw new FormatError(
      `'${source.name}' has ${source.size} bytes, but ${length} bytes at offset ${offset} were asked for; the file is cut or damaged`,
    );
  }
}

/** A {@link ByteSource} over bytes in memory; `name` defaults to `bytes`. Reads are views, not copies. */
export function bytesSource(data: ArrayBufferLike | ArrayBufferView, name = 'bytes'): ByteSource {
  const bytes = ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
  const source = {
    name,
    size: bytes.byteLength,
    read: async (offset: number, length: number, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      checkByteRange(source, offset, length);
      return bytes.subarray(offset, offset + length);
    },
  };
  return source;
}

/** A {@link ByteSource} over a `Blob` or a browser's `File`; `name` defaults to the file's name, else `blob`. */
export function blobSource(blob: Blob, name?: string): ByteSource {
  const source = {
    name: name ?? ('name' in blob && typeof blob.name === 'string' && blob.name !== '' ? blob.name : 'blob'),
    size: blob.size,
    read: async (offset: number, length: number, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      checkByteRange(source, offset, length);
      const bytes = new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      signal?.throwIfAborted();
      if (bytes.byteLength !== length) {
        throw new FormatError(`'${source.name}' gave ${bytes.byteLength} of ${length} bytes at offset ${offset}`);
      }
      return bytes;
    },
  };
  return source;
}
