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
 * The bytes of a file that lies beside the program: from disk in Node, by `fetch` in a browser.
 *
 * @throws IIError when it cannot be fetched.
 */
export async function readLocalFile(path: string | URL): Promise<Uint8Array> {
  const fs = host.process?.getBuiltinModule?.('node:fs/promises') as
    { readFile(path: string | URL): Promise<Uint8Array> } | undefined;
  if (fs) return fs.readFile(path);
  const response = await fetch(path);
  if (!response.ok)
    throw new IIError('ERR_FILE', `cannot fetch '${String(path)}': ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

type DawnPackage = { create(flags: readonly string[]): GPU };

let dawn: Promise<GPU> | undefined;

/** Dawn with the flags that the environment variable `II_DAWN_FLAGS` lists; undefined where it is not set. */
export function dawnWithFlags(): Promise<GPU> | undefined {
  const flags = environment('II_DAWN_FLAGS');
  if (!flags) return undefined;
  // Kept for good: Dawn crashes when it is collected before its devices.
  dawn ??= createDawn(flags.split(','));
  return dawn;
}

let nullDawn: Promise<GPU> | undefined;

/**
 * Dawn's null backend, in Node: it compiles and validates as for a GPU that has every feature, and runs nothing.
 *
 * @throws Error without the optional package `webgpu`.
 */
export function nullGpu(): Promise<GPU> {
  nullDawn ??= createDawn(['backend=null']);
  return nullDawn;
}

async function createDawn(flags: readonly string[]): Promise<GPU> {
  const name = 'webgpu';
  const { create } = (await import(/* @vite-ignore */ name)) as DawnPackage;
  return create(flags);
}
