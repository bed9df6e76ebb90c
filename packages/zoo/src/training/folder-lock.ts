import { rmSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { WriteError } from '../images/index.js';

/** Names the process that works in a folder: `PID HOST`. */
const LOCK = '.in-use';

/** Lock files of this process; they go when it ends. */
const held = new Set<string>();

/**
 * Takes a folder for this process, until it is released or the process ends. A process that was killed leaves its lock
 * behind, which the next one takes over.
 *
 * @returns releases it.
 * @throws WriteError when another process has the folder.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const file = join(folder, LOCK);
  const mine = `${process.pid} ${hostname()}`;
  for (let attempt = 0; ; attempt++) {
    try {
      await writeFile(file, mine, { flag: 'wx' });
      break;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      const owner = await readFile(file, 'utf8').catch(() => '');
      if (owner === mine) break;
      if (attempt > 0 || isAtWork(owner)) {
        const [pid, host] = owner.split(' ');
        throw new WriteError(
          `process ${pid} on ${host} works in ${folder}; wait for its end, choose another folder, or, if there is no such run any more, delete ${file}`,
          { cause },
        );
      }
      await rm(file, { force: true });
    }
  }
  if (held.size === 0) process.once('exit', releaseAll);
  held.add(file);
  return async () => {
    if (held.delete(file)) await rm(file, { force: true });
    if (held.size === 0) process.off('exit', releaseAll);
  };
}

/** Whether a lock's owner may still be there: processes of other machines cannot be asked. */
function isAtWork(owner: string): boolean {
  const [pid, host] = owner.split(' ');
  if (host !== hostname()) return host !== undefined;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (cause) {
    // It is there, and somebody else's.
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function releaseAll(): void {
  for (const file of held) rmSync(file, { force: true });
}
