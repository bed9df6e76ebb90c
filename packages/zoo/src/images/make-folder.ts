import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { WriteError } from './write-file.js';

/**
 * Makes a folder and those that it lies in, where they are missing. (Node's own recursive way does not come back from a
 * file system that takes no folders, such as /proc.)
 *
 * @param what names the folder in errors. Default: `the folder`.
 * @throws WriteError when it cannot be made, or a file has its name.
 */
export async function makeFolder(path: string, what = 'the folder'): Promise<void> {
  try {
    await make(resolve(path));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WriteError(`cannot make ${what} ${path}: ${reason}`, { cause });
  }
}

async function make(folder: string): Promise<void> {
  const parent = dirname(folder);
  if (parent !== folder && !(await isFolder(parent))) await make(parent);
  try {
    await mkdir(folder);
  } catch (error) {
    // It was there, or another process has made it meanwhile.
    if (!(await isFolder(folder))) throw error;
  }
}

const isFolder = async (path: string): Promise<boolean> => {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ?? false;
};
