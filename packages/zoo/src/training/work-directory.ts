import { bytesSource, IIError, type ByteSink, type ByteSource } from '@ii/tensor';

/** The folder of a training run, wherever it is: on disk, in a browser's private file system, in memory. */
export interface WorkDirectory {
  /** What messages call a file. */
  location(name: string): string;
  /** A file's content, read piece by piece; `undefined` if there is none. The caller closes it. */
  open(name: string): Promise<(ByteSource & { close(): Promise<void> }) | undefined>;
  /**
   * Replaces a file as a whole: a crash or a full disk at any point leaves the old content or the new one.
   *
   * @throws when it cannot be written; the old content remains.
   */
  write(name: string, write: (sink: ByteSink) => Promise<unknown>): Promise<void>;
  /** Adds text to the end of a file, which is made if there is none. */
  append(name: string, text: string): Promise<void>;
}

/** A file that is small enough to be read whole, as text; `undefined` if there is none. */
export async function readText(directory: WorkDirectory, name: string): Promise<string | undefined> {
  const file = await directory.open(name);
  if (!file) return undefined;
  try {
    return new TextDecoder().decode(await file.read(0, file.size));
  } finally {
    await file.close();
  }
}

/** Replaces a file by text. */
export function writeText(directory: WorkDirectory, name: string, text: string): Promise<void> {
  return directory.write(name, async (sink) => sink.write(new TextEncoder().encode(text)));
}

/** A work directory in memory: for tests, and pages that offer their checkpoint as a download. */
export function memoryDirectory(): WorkDirectory & { readonly files: ReadonlyMap<string, Uint8Array> } {
  const files = new Map<string, Uint8Array>();
  return {
    files,
    location: (name) => `memory:${name}`,
    open: async (name) => {
      const bytes = files.get(name);
      return bytes && { ...bytesSource(bytes, name), close: async () => {} };
    },
    write: async (name, write) => {
      const chunks: Uint8Array[] = [];
      await write({ write: (bytes) => void chunks.push(bytes.slice()) });
      files.set(name, joined(chunks));
    },
    append: async (name, text) => {
      files.set(name, joined([files.get(name) ?? new Uint8Array(), new TextEncoder().encode(text)]));
    },
  };
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** A run cannot go on from what its work directory holds, or must not begin over it. */
export class ResumeError extends IIError {
  constructor(message: string) {
    super('ERR_RESUME', message);
  }
}
