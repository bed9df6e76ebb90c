import { IIError } from '../errors.js';

interface NodeProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly getBuiltinModule?: (id: string) => unknown;
}

const host = globalThis as { readonly process?: NodeProcess };

/** An environment variable; undefined where there is no environment. */
export function environment(name: string): string | undefined {
  return host.process?.env[name];
}

/**
 * The bytes of a local file.
 *
 * @throws IIError outside Node.
 */
export async function readLocalFile(path: string | URL): Promise<Uint8Array> {
  const fs = host.process?.getBuiltinModule?.('node:fs/promises') as
    { readFile(path: string | URL): Promise<Uint8Array> } | undefined;
  if (!fs) throw new IIError('ERR_PLATFORM', `cannot open '${String(path)}': there is no file system here; use Node`);
  return fs.readFile(path);
}

let dawn: Promise<GPU> | undefined;

/** Dawn with the flags that the environment variable `II_DAWN_FLAGS` lists; undefined where it is not set. */
export function dawnWithFlags(): Promise<GPU> | undefined {
  const flags = environment('II_DAWN_FLAGS');
  if (!flags) return undefined;
  const name = 'webgpu';
  // Kept for good: Dawn crashes when it is collected before its devices.
  dawn ??= import(/* @vite-ignore */ name).then(({ create }: { create(flags: readonly string[]): GPU }) =>
    create(flags.split(',')),
  );
  return dawn;
}
