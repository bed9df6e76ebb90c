/** The zip archive that `torch.save` writes since PyTorch 1.6: records under one root folder, usually not compressed. */
import { FormatError, IIError, type ByteSource } from '@ii/tensor';
import type { FileEntry, ReadableReader } from '@zip.js/zip.js/lib/zip-core-reader.js';

/** One file in the archive. */
export interface ZipRecord {
  readonly name: string;
  /** Length of its content in bytes. */
  readonly size: number;
  /** A part of its content: read directly where the record is stored, else by inflating all of it. */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** Largest single read of the archive's own structures, in bytes: the directory of the largest checkpoint is 1 MB. */
const maxDirectoryRead = 64 * 2 ** 20;
const readChunk = 2 ** 20;
const localHeaderSize = 30;
const localHeaderSignature = 0x04034b50;
const endRecordSize = 22;
const endRecordSignature = 0x06054b50;
const zip64LocatorSize = 20;
const zip64LocatorSignature = 0x07064b50;
const methodStored = 0;
const methodDeflated = 8;
/** Deflate cannot expand more than this. */
const maxInflateRatio = 1032;

/**
 * Lists the records of a zip archive by its central directory; of the records themselves nothing is read.
 *
 * @throws FormatError when the archive is cut, damaged, encrypted, or uses another compression than deflate.
 */
export async function openZip(source: ByteSource, signal?: AbortSignal): Promise<ReadonlyMap<string, ZipRecord>> {
  // The reading half only, with the platform's own inflate: 21 KB instead of 56 KB (minified, gzip). Imported on use, since
  // it looks at `navigator` when it is loaded.
  const { ZipReader } = await import('@zip.js/zip.js/lib/zip-core-reader.js');
  const records = new Map<string, ZipRecord>();
  const entries = await guarded(source, signal, () =>
    new ZipReader(new SourceReader(source, signal), { useWebWorkers: false }).getEntries(),
  );
  for (const entry of entries) {
    if (entry.directory) continue;
    if (records.has(entry.filename)) throw damaged(source, `it has two records named '${entry.filename}'`);
    records.set(entry.filename, openRecord(source, entry));
  }
  return records;
}

function openRecord(source: ByteSource, entry: FileEntry): ZipRecord {
  const { filename: name, compressionMethod: method, compressedSize, uncompressedSize: size, offset } = entry;
  const fail = (problem: string): never => {
    throw damaged(source, `its record '${name}' ${problem}`);
  };
  if (entry.encrypted) fail('is encrypted');
  if (method !== methodStored && method !== methodDeflated) fail(`uses compression method ${method}; deflate is known`);
  if (offset + localHeaderSize + compressedSize > source.size) fail(`reaches past the end of the file`);
  if (method === methodStored ? size !== compressedSize : size > compressedSize * maxInflateRatio) {
    fail(`cannot have ${size} bytes in ${compressedSize}`);
  }

  let dataOffset: number | undefined;
  const findData = async (signal?: AbortSignal): Promise<number> => {
    const bytes = await source.read(offset, localHeaderSize, signal);
    const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (header.getUint32(0, true) !== localHeaderSignature) fail('has no header where the directory says');
    if (header.getUint16(8, true) !== method) fail('has another compression in its header than in the directory');
    const start = offset + localHeaderSize + header.getUint16(26, true) + header.getUint16(28, true);
    if (start + size > source.size) fail('reaches past the end of the file');
    return start;
  };

  return {
    name,
    size,
    read: async (begin, length, signal) => {
      if (begin + length > size) fail(`has ${size} bytes, but bytes ${begin} to ${begin + length} are needed`);
      if (method === methodStored) {
        dataOffset ??= await findData(signal);
        return source.read(dataOffset + begin, length, signal);
      }
      return (await inflate(source, entry, signal)).subarray(begin, begin + length);
    },
  };
}

async function inflate(source: ByteSource, entry: FileEntry, signal?: AbortSignal): Promise<Uint8Array> {
  const { uncompressedSize: size, filename } = entry;
  const chunks: Uint8Array[] = [];
  let length = 0;
  const sink = new WritableStream<Uint8Array>({
    write(chunk) {
      length += chunk.length;
      if (length > size) throw damaged(source, `its record '${filename}' inflates to more than ${size} bytes`);
      chunks.push(chunk.slice());
    },
  });
  await guarded(source, signal, () => entry.getData(sink, { useWebWorkers: false, ...(signal && { signal }) }));
  if (length !== size) throw damaged(source, `its record '${filename}' inflates to ${length} bytes instead of ${size}`);
  const result = new Uint8Array(size);
  let position = 0;
  for (const chunk of chunks) {
    result.set(chunk, position);
    position += chunk.length;
  }
  return result;
}

/** A {@link ByteSource} as zip.js reads it: ranges past the end are shortened, as it expects. */
class SourceReader implements ReadableReader {
  readonly size: number;

  constructor(
    readonly source: ByteSource,
    readonly signal: AbortSignal | undefined,
  ) {
    this.size = source.size;
  }

  async readUint8Array(offset: number, length: number): Promise<Uint8Array> {
    const begin = Math.min(Math.max(offset, 0), this.size);
    const available = Math.min(length, this.size - begin);
    if (available > maxDirectoryRead) {
      throw damaged(this.source, `its directory claims ${available} bytes; ${maxDirectoryRead} is the limit`);
    }
    const bytes = await this.source.read(begin, available, this.signal);
    return begin + available === this.size ? preferZip64(bytes) : bytes;
  }

  createReadable({ offset = 0, size = this.size - offset }: { offset?: number; size?: number } = {}): ReadableStream {
    let position = offset;
    const end = Math.min(offset + size, this.size);
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const length = Math.min(readChunk, end - position);
        if (length > 0) controller.enqueue(await this.source.read(position, length, this.signal));
        position += length;
        if (position >= end) controller.close();
      },
    });
  }

  get readable(): ReadableStream {
    return this.createReadable();
  }
}

/**
 * The end of an archive, `bytes`, so that zip.js believes the zip64 end record where there is one. PyTorch always writes
 * it, also where nothing needs 64 bits; zip.js then overlooks it and takes its 76 bytes for a part of the directory,
 * which it misplaces when the directory's first entry is just as long: when the root folder's name has 21 characters.
 */
function preferZip64(bytes: Uint8Array): Uint8Array {
  const end = bytes.length - endRecordSize;
  const locator = end - zip64LocatorSize;
  if (locator < 0) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(end, true) !== endRecordSignature) return bytes;
  if (view.getUint32(locator, true) !== zip64LocatorSignature) return bytes;
  const marked = bytes.slice();
  // Entries on this disk, entries, directory size and offset: all ones means that the zip64 record has the value.
  marked.fill(0xff, end + 8, end + 20);
  return marked;
}

/** Errors of the zip library in our words; ours and an abort pass. */
async function guarded<T>(source: ByteSource, signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof IIError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw damaged(source, /end of central|not recognized/i.test(reason) ? 'its end is missing' : reason, error);
  }
}

function damaged(source: ByteSource, problem: string, cause?: unknown): FormatError {
  return new FormatError(
    `'${source.name}' (${source.size} bytes) is a cut or damaged zip archive: ${problem}; download or save it again`,
    { cause },
  );
}
