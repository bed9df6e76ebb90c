/** Files of JSON that a person writes: read strictly, with every problem named by its path in the file. */
import { FormatError, IIError } from '@ii/tensor';
import * as v from 'valibot';
import { nearest } from './nearest.js';

/** A configuration file that cannot be used; every problem is named by its path in the file. */
export class ConfigFileError extends IIError {
  constructor(
    readonly file: string,
    readonly problems: readonly string[],
    /** What the file should be. */
    kind = 'model configuration',
  ) {
    const list = problems.length === 1 ? ` ${problems[0]}` : problems.map((problem) => `\n  ${problem}`).join('');
    super('ERR_CONFIG_FILE', `'${file}' is not a ${kind}:${list}`);
  }
}

/** What a kind of file must be. */
export interface JsonFileKind<S extends v.GenericSchema> {
  /** In words, for messages: `model configuration`. */
  readonly title: string;
  readonly schema: S;
  /** Keys that are known at each place of a file, by its dotted path. */
  readonly knownKeys: Readonly<Record<string, readonly string[]>>;
}

/**
 * Parses and checks the text of a file.
 *
 * @param name what messages call the text.
 * @throws FormatError when the text is not JSON.
 * @throws ConfigFileError that names every unknown key with the nearest known one, and every wrong value, by its path.
 */
export function parseJsonFile<S extends v.GenericSchema>(
  text: string,
  name: string,
  { title, schema, knownKeys }: JsonFileKind<S>,
): v.InferOutput<S> {
  let data: unknown;
  try {
    data = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new FormatError(`'${name}' is not JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  const result = v.safeParse(schema, data);
  if (result.success) return result.output;
  const problems = result.issues.map((issue) => describeIssue(issue, knownKeys));
  throw new ConfigFileError(name, problems, title);
}

/**
 * The text of a file (in Node).
 *
 * @param what messages call its kind: `the configuration`.
 * @throws IIError with the code `ERR_FILE` when the file cannot be read.
 */
export async function readTextFile(path: string, what: string): Promise<string> {
  // Imported on use, so that a browser's bundle does not ask for node:fs.
  const { readFile } = await import('node:fs/promises');
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'there is no such file' : error instanceof Error ? error.message : String(error);
    throw new IIError('ERR_FILE', `cannot open ${what} '${path}': ${reason}`, { cause: error });
  }
}

function describeIssue(issue: v.BaseIssue<unknown>, knownKeys: JsonFileKind<v.GenericSchema>['knownKeys']): string {
  const keys = (issue.path ?? []).map(({ key }) => key);
  const path = keys
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i > 0 ? '.' : ''}${String(key)}`))
    .join('');
  if (issue.type === 'strict_object' && issue.expected === 'never')
    return unknownKey(path, keys.map(String), knownKeys);
  if (issue.type === 'strict_object' && issue.received === 'undefined') return `${path} is missing`;
  const expected = issue.expected ?? 'a value in range';
  return `${path === '' ? 'the file' : path}: expected ${inWords(issue.type, expected)}, got ${shown(issue.input)}`;
}

function unknownKey(
  path: string,
  keys: readonly string[],
  knownKeys: JsonFileKind<v.GenericSchema>['knownKeys'],
): string {
  const known = knownKeys[keys.slice(0, -1).join('.')] ?? [];
  const [meant] = nearest(keys.at(-1) ?? '', known);
  return `unknown key '${path}'${meant ? `; did you mean '${meant}'?` : ''} (known there: ${known.join(', ')})`;
}

/** What a rule of the schema expects, for a person. */
function inWords(type: string, expected: string): string {
  if (type === 'integer') return 'a whole number';
  if (type === 'finite') return 'a finite number';
  if (type === 'min_value') return `at least ${expected.replace('>=', '')}`;
  if (type === 'max_value') return `at most ${expected.replace('<=', '')}`;
  if (type === 'gt_value') return `more than ${expected.replace('>', '')}`;
  if (type === 'strict_object') return 'an object';
  if (type === 'strict_tuple') return 'two numbers [long, short]';
  if (type === 'nullable') return `${expected} or null`;
  return `${/^[aeiou]/i.test(expected) ? 'an' : 'a'} ${expected.toLowerCase()}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
