import { FormatError, type ByteSource, type StateDict } from '@ii/tensor';
import { describeContent, isZip, startOf } from '../source/content.js';
import { readLegacyCheckpoint } from './legacy-checkpoint.js';
import { describe, PickleDict, type PickleValue } from './pickle-value.js';
import { plainObject, type PlainObject } from './plain-value.js';
import { TorchTensor } from './torch-tensor.js';
import { readZipCheckpoint } from './zip-checkpoint.js';

/** A PyTorch checkpoint: names, shapes and metadata in memory, the weights still in the file. */
export interface PthFile {
  /** How `torch.save` wrote it: as a zip archive (since PyTorch 1.6) or as a row of pickles. */
  readonly format: 'zip' | 'legacy';
  /** The entry of the outermost dict that `tensors` were found in. */
  readonly wrapper: 'state_dict' | 'model' | 'none';
  /**
   * The tensors by name, in the order of the file; a file that is one bare tensor has it under the empty name. Reading
   * one reads its bytes from the source, which must still be open.
   */
  readonly tensors: StateDict;
  /** Names in the state dict whose values are not tensors. */
  readonly skipped: readonly string[];
  /** The entry `meta` of the outermost dict (training tools of the MMCV family write one) as plain data; else empty. */
  readonly meta: PlainObject;
  /** Everything that was pickled: the optimizer's state, counters. */
  readonly root: PickleValue;
}

/**
 * Opens a file written by `torch.save`. Reads its directory and its pickle, no weights. Nothing in the pickle is run:
 * only a list of known names is accepted, each standing for plain data, and every size, stride and offset is checked
 * against the file before it is used.
 *
 * @param options.signal aborts the opening
 * @throws FormatError when the file is cut, damaged, no checkpoint, or names anything outside the list.
 * @throws the signal's reason when aborted.
 */
export async function readPth(
  source: ByteSource,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<PthFile> {
  const start = await startOf(source, signal);
  const format = isZip(start) ? 'zip' : start[0] === 0x80 ? 'legacy' : undefined;
  if (!format) {
    throw new FormatError(`'${source.name}' is not a PyTorch checkpoint: it ${describeContent(source.size, start)}`);
  }
  try {
    const root = await (format === 'zip' ? readZipCheckpoint(source, signal) : readLegacyCheckpoint(source, signal));
    return { format, root, ...findStateDict(root) };
  } catch (error) {
    if (!(error instanceof FormatError) || error.message.startsWith(`'${source.name}'`)) throw error;
    throw new FormatError(`'${source.name}' cannot be loaded: ${error.message}`, { cause: error });
  }
}

/** Finds the dict of tensors: under `state_dict` (MMCV), under `model` (pretraining), or the outermost one. */
function findStateDict(root: PickleValue): Pick<PthFile, 'wrapper' | 'tensors' | 'skipped' | 'meta'> {
  if (root instanceof TorchTensor) {
    return { wrapper: 'none', tensors: new Map([['', root]]), skipped: [], meta: plainObject(null) };
  }
  if (!(root instanceof PickleDict)) throw new FormatError(`it holds ${describe(root)} instead of a dict of tensors`);
  const wrapper = (['state_dict', 'model'] as const).find((key) => root.get(key) instanceof PickleDict) ?? 'none';
  const inner = wrapper === 'none' ? root : root.get(wrapper);

  const tensors = new Map<string, TorchTensor>();
  const skipped: string[] = [];
  for (const [key, value] of inner instanceof PickleDict ? inner : []) {
    if (!(value instanceof TorchTensor)) {
      skipped.push(typeof key === 'string' ? key : describe(key));
    } else if (typeof key === 'string') {
      tensors.set(key, value);
    } else {
      throw new FormatError(`a tensor of its state dict is named by ${describe(key)} instead of text`);
    }
  }
  if (tensors.size === 0) {
    const keys = [...root.keys()].slice(0, 8).map(describe).join(', ');
    throw new FormatError(`it holds no tensors; its outermost dict has ${keys === '' ? 'no entries' : keys}`);
  }
  return { wrapper, tensors, skipped, meta: plainObject(root.get('meta')) };
}
