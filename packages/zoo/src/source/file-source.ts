import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { checkByteRange, DisposedError, FormatError, IIError, type ByteSource } from '@ii/tensor';

/** A {@link ByteSource} that holds a file open. */
export interface FileSource extends ByteSource {
  readonly path: string;
  close(): Promise<void>;
}

/** Node reads at most 2 GiB at once. */
const maxRead = 2 ** 30;

/**
 * Opens a file for random access, of any size; close it after use. Its `name` is the file's name without the folders.
 *
 * @throws IIError with the code `ERR_FILE` when `path` does not exist, is a folder, or may not be read.
 */
export async function fileSource(path: string): Promise<FileSource> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    throw new IIError('ERR_FILE', `cannot open '${path}': ${reason(error)}`, { cause: error });
  }
  const stats = await handle.stat();
  if (!stats.isFile()) {
    await handle.close();
    const kind = stats.isDirectory() ? 'a folder; name a file in it' : 'not a regular file';
    throw new IIError('ERR_FILE', `cannot open '${path}': it is ${kind}`);
  }

  const name = basename(path);
  const { size } = stats;
  let closed: Promise<void> | undefined;
  return {
    name,
    path,
    size,
    async read(offset, length, signal) {
      signal?.throwIfAborted();
      if (closed) throw new DisposedError(`'${name}' was closed; open it again to read more of it`);
      checkByteRange({ name, size }, offset, length);
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length;) {
        const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, maxRead), offset + done);
        if (bytesRead === 0) throw new FormatError(`'${name}' became shorter while it was read`);
        done += bytesRead;
        signal?.throwIfAborted();
      }
      return bytes;
    },
    close: () => (closed ??= handle.close()),
  };
}

function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file';
  if (code === 'EISDIR') return 'it is a folder; name a file in it';
  if (code === 'EACCES' || code === 'EPERM') return 'it may not be read';
  return error instanceof Error ? error.message : String(error);
}
