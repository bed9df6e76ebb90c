/** The file in which `ii evaluate` keeps its state. */
import { readFile } from 'node:fs/promises';
import { isComplete, parseEvaluationState, type EvaluationState, type EvaluationStore } from '@ii/ade20k';
import { FormatError, IIError } from '@ii/tensor';
import { checkWritable, writeFileAtomic } from '../images/index.js';
import { UsageError } from './output.js';

/**
 * Reads a state, if there is the file.
 *
 * @throws FormatError, naming the file, if it holds something else; IIError with the code `ERR_FILE` if it cannot be
 *   read.
 */
export async function readStateFile(path: string): Promise<EvaluationState | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new IIError('ERR_FILE', `cannot read ${path}: ${message}`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`${path} is not a stored evaluation: it is no JSON`, { cause });
  }
  return parseEvaluationState(value, path);
}

/**
 * Prepares the file of a run.
 *
 * @param resume whether to go on from what it holds; without, an unfinished state must not be lost.
 * @throws UsageError for an unfinished state that would be replaced; WriteError if the file cannot be written; what
 *   {@link readStateFile} throws.
 */
export async function openStateFile(path: string, resume: boolean): Promise<EvaluationStore> {
  await checkWritable(path);
  const before = await readStateFile(path);
  if (before && !resume && !isComplete(before)) {
    throw new UsageError(
      `${path} holds an unfinished evaluation (${before.drawn} done): add --resume to go on with it, or remove the file`,
    );
  }
  return {
    load: async () => (resume ? before : undefined),
    save: (state) => writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify(state)}\n`)),
  };
}
