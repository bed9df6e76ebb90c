import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { IIError } from '@ii/tensor';

/** A result cannot be written where it was asked to be. */
export class WriteError extends IIError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_WRITE', message, options);
  }
}

/** A name in the same folder that no other process uses: a rename from it to `path` is atomic. */
function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
}

function describe(path: string, cause: unknown): WriteError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const folder = dirname(resolve(path));
  const reasons: Record<string, string> = {
    ENOENT: `the folder ${folder} does not exist; create it first`,
    ENOTDIR: `${folder} is not a folder`,
    EACCES: `no permission to write in ${folder}`,
    EPERM: `no permission to write in ${folder}`,
    EROFS: `${folder} is on a read-only file system`,
    ENOSPC: `no space left on the device of ${folder}`,
  };
  return new WriteError(`cannot write ${path}: ${(code && reasons[code]) || message}`, { cause });
}

/**
 * Checks, before any long work, that a file can be written at `path`: its folder takes a new file, and `path` itself is
 * not a directory. Leaves nothing behind.
 *
 * @throws WriteError that says what stands in the way.
 */
export async function checkWritable(path: string): Promise<void> {
  const existing = await stat(path).catch(() => undefined);
  if (existing?.isDirectory()) {
    throw new WriteError(`cannot write ${path}: it is a directory; give the path of a file`);
  }
  const probe = temporaryName(path);
  try {
    // Permission bits alone do not tell (root, read-only mounts, quotas): make a file and see.
    await (await open(probe, 'wx')).close();
    await rm(probe);
  } catch (cause) {
    throw describe(path, cause);
  }
}

/**
 * Writes a file so that a reader sees the old content or the new one, never a part: the bytes go to a temporary file in
 * the same folder, which then takes the name.
 *
 * @throws WriteError if the folder is missing or takes no file, or the device is full. No partial file remains.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = temporaryName(path);
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EISDIR') throw new WriteError(`cannot write ${path}: it is a directory`, { cause });
    throw describe(path, cause);
  }
}
