import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ByteSink } from '@ii/tensor';
import { WriteError } from './images/index.js';

/**
 * Writes a file of any size piece by piece so that a reader sees the old content or all of the new one: the pieces go to
 * a temporary file in the same folder, which takes the name when `write` has finished. Nothing remains if it fails.
 *
 * @throws WriteError when the file cannot be made or written; and what `write` throws.
 */
export async function writeAtomically<T>(path: string, write: (sink: ByteSink) => Promise<T>): Promise<T> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  const attempt = async <R>(action: Promise<R>): Promise<R> => {
    try {
      return await action;
    } catch (cause) {
      throw new WriteError(`cannot write ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
    }
  };
  const file = await attempt(open(temporary, 'wx'));
  try {
    let result: T;
    try {
      // A file handle writes behind what was written before.
      result = await write({ write: (bytes) => attempt(file.writeFile(bytes)) });
      await attempt(file.sync());
    } finally {
      await file.close();
    }
    await attempt(rename(temporary, path));
    return result;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
