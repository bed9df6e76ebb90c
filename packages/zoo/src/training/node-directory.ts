import { appendFile, readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeAtomically } from '../atomic-file.js';
import { checkWritable, makeFolder, WriteError } from '../images/index.js';
import { fileSource } from '../source/file-source.js';
import { lockFolder } from './folder-lock.js';
import type { WorkDirectory } from './work-directory.js';

/** What a process that was killed while it wrote leaves behind. */
const TEMPORARY = /^\.(latest|best)\.safetensors\.[0-9a-f]{12}\.tmp$/;

/**
 * A work directory on disk (in Node); it is made if there is none, and this process' own until `release`, or its end. Parts
 * of checkpoints that a killed run left are removed.
 *
 * @throws WriteError, before any work is done, when the folder cannot be made or written to, or when another process
 *   trains in it.
 */
export async function nodeWorkDirectory(path: string): Promise<WorkDirectory & { release(): Promise<void> }> {
  const folder = resolve(path);
  await makeFolder(folder, 'the work directory');
  await checkWritable(join(folder, 'latest.safetensors'));
  const release = await lockFolder(folder);
  for (const name of await readdir(folder)) if (TEMPORARY.test(name)) await rm(join(folder, name), { force: true });
  const location = (name: string): string => join(folder, name);
  return {
    release,
    location,
    open: async (name) => {
      const exists = await stat(location(name)).catch(() => undefined);
      return exists && fileSource(location(name));
    },
    write: async (name, write) => {
      await writeAtomically(location(name), write);
    },
    append: async (name, text) => {
      try {
        await appendFile(location(name), text);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new WriteError(`cannot write ${location(name)}: ${reason}`, { cause });
      }
    },
  };
}
