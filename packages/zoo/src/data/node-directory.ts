import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DatasetError, type DirectorySource } from '@ii/ade20k';
import { ImageReadError } from '../images/index.js';

/** A folder on disk as the source of a data set's files. */
export function nodeDirectory(root: string): DirectorySource {
  const base = resolve(root);
  const location = (path: string): string => join(base, path);
  return {
    location,
    list: async (folder) => {
      try {
        const entries = await readdir(location(folder), { withFileTypes: true });
        // A link to a file counts as a file.
        return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
      } catch (cause) {
        const { code, message } = cause as NodeJS.ErrnoException;
        if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
        const reason = code === 'EACCES' || code === 'EPERM' ? 'permission denied' : message;
        throw new DatasetError(`cannot list ${location(folder)}: ${reason}`, { cause });
      }
    },
    read: async (path) => {
      try {
        return await readFile(location(path));
      } catch (cause) {
        const { code, message } = cause as NodeJS.ErrnoException;
        if (code === 'ENOENT' || code === 'ENOTDIR') {
          throw new ImageReadError(`no such file: ${location(path)}`, { cause });
        }
        const reason = code === 'EACCES' || code === 'EPERM' ? 'permission denied' : message;
        throw new ImageReadError(`${location(path)} cannot be read: ${reason}`, { cause });
      }
    },
  };
}
