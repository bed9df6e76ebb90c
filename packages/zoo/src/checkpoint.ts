import { FormatError, readSafetensors, type ByteSource, type StateDict, type StoredTensor } from '@ii/tensor';
import { TRAINING_KEY, withoutOptimizer } from './checkpoint-training.js';
import { readPth, type PlainObject } from './pth/index.js';
import { describeContent, isSafetensors, isZip, startOf } from './source/content.js';

/** The weights of a model in a file, whatever its format; they are read tensor by tensor when asked for. */
export interface Checkpoint {
  /** The file's name, for messages. */
  readonly name: string;
  /** `pth`: the zip form of `torch.save`; `pth-legacy`: its form before PyTorch 1.6. */
  readonly format: 'pth' | 'pth-legacy' | 'safetensors';
  /** The tensors by the model's own names: taken out of `state_dict` or `model`, without the prefix `module.`. */
  readonly tensors: StateDict;
  /** What the file says about itself: the `meta` of a PyTorch file, the metadata of a safetensors file. */
  readonly meta: PlainObject;
  /** Closes the file if {@link openCheckpoint} opened it; a source that was passed in stays open. May be called twice. */
  close(): Promise<void>;
}

/**
 * Opens a checkpoint, telling its format from its content and not from its name. Reads names, shapes and metadata only.
 *
 * @param source a path (in Node), or any random access to bytes
 * @param options.signal aborts the opening
 * @throws FormatError when the file is not a checkpoint (saying what it looks like), is damaged, or holds no state dict.
 * @throws IIError with the code `ERR_FILE` when the path cannot be opened.
 * @throws the signal's reason when aborted.
 */
export async function openCheckpoint(
  source: ByteSource | string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<Checkpoint> {
  if (typeof source !== 'string') return { ...(await readCheckpoint(source, signal)), close: async () => {} };
  // Imported on use, so that a browser's bundle does not ask for node:fs.
  const { fileSource } = await import('./source/file-source.js');
  const file = await fileSource(source);
  try {
    return { ...(await readCheckpoint(file, signal)), close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readCheckpoint(source: ByteSource, signal: AbortSignal | undefined): Promise<Omit<Checkpoint, 'close'>> {
  const { name, size } = source;
  const start = await startOf(source, signal);
  if (isSafetensors(size, start)) {
    const { tensors, metadata } = await readSafetensors(source, { signal });
    // What a training run goes on from holds more than the model.
    const own = TRAINING_KEY in metadata ? withoutOptimizer(tensors) : tensors;
    return { name, format: 'safetensors', tensors: withoutPrefix(own, name), meta: { ...metadata } };
  }
  if (!isZip(start) && start[0] !== 0x80) {
    throw new FormatError(
      `'${name}' is not a checkpoint: it ${describeContent(size, start)}; expected a .pth file of torch.save or a .safetensors file`,
    );
  }
  const { format, tensors, meta } = await readPth(source, { signal });
  if (tensors.has('')) {
    throw new FormatError(
      `'${name}' holds one bare tensor without a name; a checkpoint is a dict of tensors, as model.state_dict() gives`,
    );
  }
  return { name, format: format === 'zip' ? 'pth' : 'pth-legacy', tensors: withoutPrefix(tensors, name), meta };
}

/** Drops the `module.` that PyTorch's DataParallel puts before every name. */
function withoutPrefix(tensors: StateDict, file: string): StateDict {
  const renamed = new Map<string, StoredTensor>();
  for (const [name, tensor] of tensors) {
    const bare = name.replace(/^module\./, '');
    if (renamed.has(bare)) {
      throw new FormatError(`'${file}' holds '${bare}' both with and without the prefix 'module.'`);
    }
    renamed.set(bare, tensor);
  }
  return renamed;
}
