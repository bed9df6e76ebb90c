/** Model configurations in JSON files: the names of `UperNetConfig`, checked strictly. */
import { FormatError, IIError } from '@ii/tensor';
import { UperNet, type UperNetConfig } from '@ii/upernet';
import * as v from 'valibot';
import type { TestScale } from './models/model.js';
import { nearest } from './nearest.js';

/** What a configuration file says. */
export interface ModelFile {
  readonly config: UperNetConfig;
  /** Scale of the model's test protocol, where the file gives one. */
  readonly testScale?: TestScale;
}

const positive = v.pipe(v.number(), v.integer(), v.minValue(1));
const index = v.pipe(v.number(), v.integer(), v.minValue(0));
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const finite = v.pipe(v.number(), v.finite());

const backbone = v.strictObject({
  channels: positive,
  depths: v.array(positive),
  groups: v.array(positive),
  mlpRatio: v.exactOptional(v.pipe(v.number(), v.gtValue(0))),
  dropPathRate: v.exactOptional(share),
  layerScale: v.exactOptional(v.nullable(finite)),
  offsetScale: v.exactOptional(finite),
  postNorm: v.exactOptional(v.boolean()),
  dwKernelSize: v.exactOptional(v.nullable(positive)),
  resPostNorm: v.exactOptional(v.boolean()),
  level2PostNormBlockIds: v.exactOptional(v.nullable(v.array(index))),
  centerFeatureScale: v.exactOptional(v.boolean()),
  outIndices: v.exactOptional(v.array(index)),
  withCp: v.exactOptional(v.boolean()),
});

const decodeHead = v.strictObject({
  channels: v.exactOptional(positive),
  poolScales: v.exactOptional(v.array(positive)),
  dropoutRatio: v.exactOptional(share),
});

const auxiliaryHead = v.strictObject({
  inIndex: v.exactOptional(index),
  channels: v.exactOptional(positive),
  numConvs: v.exactOptional(positive),
  lossWeight: v.exactOptional(finite),
  dropoutRatio: v.exactOptional(share),
});

const modelFile = v.strictObject({
  backbone,
  decodeHead: v.exactOptional(decodeHead),
  auxiliaryHead: v.exactOptional(v.nullable(auxiliaryHead)),
  numClasses: v.exactOptional(positive),
  testScale: v.exactOptional(v.strictTuple([positive, positive])),
});

/** Keys that are known at each place of a file. */
const knownKeys: Readonly<Record<string, readonly string[]>> = {
  '': Object.keys(modelFile.entries),
  backbone: Object.keys(backbone.entries),
  decodeHead: Object.keys(decodeHead.entries),
  auxiliaryHead: Object.keys(auxiliaryHead.entries),
};

/** A configuration file that cannot be used; every problem is named by its path in the file. */
export class ConfigFileError extends IIError {
  constructor(
    readonly file: string,
    readonly problems: readonly string[],
  ) {
    const list = problems.length === 1 ? ` ${problems[0]}` : problems.map((problem) => `\n  ${problem}`).join('');
    super('ERR_CONFIG_FILE', `'${file}' is not a model configuration:${list}`);
  }
}

/**
 * Reads a configuration from JSON text: `backbone` with `channels`, `depths` and `groups` is required, everything else
 * has the default of `UperNetConfig`.
 *
 * @param name what messages call the text.
 * @throws FormatError when the text is not JSON.
 * @throws ConfigFileError that names every unknown key with the nearest known one, and every wrong value, by its path.
 */
export function parseConfig(text: string, name = 'config'): ModelFile {
  let data: unknown;
  try {
    data = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new FormatError(`'${name}' is not JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  const result = v.safeParse(modelFile, data);
  if (!result.success) throw new ConfigFileError(name, result.issues.map(describeIssue));
  const { testScale, ...config } = result.output;
  try {
    // Building a model allocates nothing and checks what one value means for another.
    new UperNet(config).dispose();
  } catch (error) {
    if (!(error instanceof IIError)) throw error;
    throw new ConfigFileError(name, [error.message]);
  }
  return { config, ...(testScale && { testScale }) };
}

/**
 * Reads a configuration file (in Node).
 *
 * @throws IIError with the code `ERR_FILE` when the file cannot be read; otherwise as {@link parseConfig}.
 */
export async function readConfigFile(path: string): Promise<ModelFile> {
  const { readFile } = await import('node:fs/promises');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const reason = code === 'ENOENT' ? 'there is no such file' : error instanceof Error ? error.message : String(error);
    throw new IIError('ERR_FILE', `cannot open the configuration '${path}': ${reason}`, { cause: error });
  }
  return parseConfig(text, path);
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  const keys = (issue.path ?? []).map(({ key }) => key);
  const path = keys
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i > 0 ? '.' : ''}${String(key)}`))
    .join('');
  if (issue.type === 'strict_object' && issue.expected === 'never') return unknownKey(path, keys.map(String));
  if (issue.type === 'strict_object' && issue.received === 'undefined') return `${path} is missing`;
  const expected = issue.expected ?? 'a value in range';
  return `${path === '' ? 'the file' : path}: expected ${inWords(issue.type, expected)}, got ${shown(issue.input)}`;
}

function unknownKey(path: string, keys: readonly string[]): string {
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
