/** Where `ii segment` writes its results. */
import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { checkWritable, makeFolder } from '../images/index.js';
import { UsageError } from './output.js';

export interface OutputFlags {
  readonly output?: string;
  readonly labels?: string;
  readonly saveLogits?: string;
}

/** Files to write for one photo. */
export interface ImageOutputs {
  readonly overlay: string;
  readonly labels: string | null;
  readonly logits: string | null;
}

/**
 * Decides every output's path, and that it can be written, before any work is done. For several photos the flags name
 * folders, which are made if need be; the files in them are `<photo>.overlay.png`, `<photo>.labels.png` and
 * `<photo>.logits.safetensors`.
 *
 * @throws UsageError when a file has the wrong ending, would replace a photo, or two outputs are the same file.
 * @throws WriteError when one cannot be written.
 */
export async function planOutputs(images: readonly string[], flags: OutputFlags): Promise<ImageOutputs[]> {
  const overlay = await target(images, '-o', flags.output, '.overlay.png');
  const labels = await target(images, '--labels', flags.labels, '.labels.png');
  const logits = await target(images, '--save-logits', flags.saveLogits, '.logits.safetensors');
  const plan = images.map((image) => ({
    overlay: overlay?.(image) ?? join(dirname(image), `${stem(image)}.overlay.png`),
    labels: labels?.(image) ?? null,
    logits: logits?.(image) ?? null,
  }));
  const paths = plan.flatMap((outputs) => Object.values(outputs).filter((path) => path !== null));
  refuseCollisions(images, paths);
  for (const path of paths) await checkWritable(path);
  return plan;
}

/** How a flag's value becomes the path for a photo; null when the flag is not given. */
async function target(
  images: readonly string[],
  flag: string,
  value: string | undefined,
  ending: string,
): Promise<((image: string) => string) | null> {
  if (value === undefined) return null;
  const inFolder = (image: string): string => join(value, stem(image) + ending);
  const isFolder = (await stat(value).catch(() => undefined))?.isDirectory() ?? false;
  if (isFolder) return inFolder;
  const extension = extname(ending);
  if (images.length > 1 || value.endsWith('/')) {
    if (value.endsWith(extension)) {
      throw new UsageError(`${flag} ${value}: for ${images.length} images, ${flag} names a folder`);
    }
    await makeFolder(value);
    return inFolder;
  }
  if (!value.toLowerCase().endsWith(extension)) {
    throw new UsageError(`${flag} ${value}: expected a file name that ends in ${extension}, or a folder that exists`);
  }
  return () => value;
}

function refuseCollisions(images: readonly string[], paths: readonly string[]): void {
  const taken = new Map(images.map((image) => [resolve(image), 'is one of the photos']));
  for (const path of paths) {
    const reason = taken.get(resolve(path));
    if (reason) throw new UsageError(`cannot write ${path}: it ${reason}; choose other names or folders`);
    taken.set(resolve(path), 'would be written twice');
  }
}

const stem = (path: string): string => basename(path, extname(path));
