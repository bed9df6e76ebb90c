import type { Device } from '../device.js';
import { IIError } from '../errors.js';
import type { StateDict } from '../io/stored-tensor.js';
import { sameShape, showShape } from '../shape.js';
import type { Module } from './module.js';
import type { Parameter } from './parameter.js';

export interface LoadOptions {
  /** Refuse any difference between the checkpoint and the model. Default: true. */
  readonly strict?: boolean;
  /** Prefixes of names that may be missing, unexpected or misshapen, for example `decode_head.conv_seg`. */
  readonly ignore?: readonly string[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly loaded: number; readonly total: number }) => void;
}

/** How a checkpoint and a model differ. */
export interface LoadReport {
  /** Names in the model that the checkpoint lacks. */
  readonly missing: readonly string[];
  /** Names in the checkpoint that the model does not have. */
  readonly unexpected: readonly string[];
  readonly misshapen: readonly { readonly name: string; readonly expected: string; readonly got: string }[];
}

/** A checkpoint does not fit the model; {@link StateDictError.report} says where. */
export class StateDictError extends IIError {
  constructor(readonly report: LoadReport) {
    super('ERR_STATE_DICT', describeReport(report));
  }
}

/**
 * PyTorch gained this counter in 0.4.1 and takes older checkpoints without it, starting at 0.
 */
const optional = (name: string): boolean => name.endsWith('.num_batches_tracked');

export async function loadParameters(
  module: Module,
  device: Device,
  weights: StateDict,
  { strict = true, ignore = [], signal, onProgress }: LoadOptions,
): Promise<LoadReport> {
  signal?.throwIfAborted();
  const named = new Map(module.namedState());
  const report = compare(named, weights);
  const blamed = (name: string): boolean => !ignore.some((prefix) => name.startsWith(prefix));
  if (
    strict &&
    (report.missing.some(blamed) || report.unexpected.some(blamed) || report.misshapen.some((m) => blamed(m.name)))
  ) {
    throw new StateDictError({
      missing: report.missing.filter(blamed),
      unexpected: report.unexpected.filter(blamed),
      misshapen: report.misshapen.filter((m) => blamed(m.name)),
    });
  }
  const absent = new Set([...report.missing, ...report.misshapen.map((m) => m.name)]);
  const present = [...named].filter(([name]) => !absent.has(name));
  let loaded = 0;
  for (const [name, parameter] of present) {
    signal?.throwIfAborted();
    const stored = weights.get(name);
    if (stored) await parameter.load(device, stored);
    else await parameter.load(device, { dtype: 'i64', shape: [], bytes: async () => new Uint8Array(8) });
    onProgress?.({ loaded: ++loaded, total: present.length });
  }
  return report;
}

function compare(named: ReadonlyMap<string, Parameter>, weights: StateDict): LoadReport {
  const missing: string[] = [];
  const misshapen: { name: string; expected: string; got: string }[] = [];
  for (const [name, parameter] of named) {
    const stored = weights.get(name);
    if (!stored) {
      if (!optional(name)) missing.push(name);
    } else if (!sameShape(stored.shape, parameter.shape)) {
      misshapen.push({ name, expected: showShape(parameter.shape), got: showShape(stored.shape) });
    }
  }
  return { missing, unexpected: [...weights.keys()].filter((name) => !named.has(name)), misshapen };
}

/** Names listed per kind of difference before the rest is only counted by module. */
const LISTED = 12;

function describeReport({ missing, unexpected, misshapen }: LoadReport): string {
  const shapes = new Map(
    misshapen.map(({ name, expected, got }) => [name, `${name} (model ${expected}, checkpoint ${got})`]),
  );
  return [
    'the checkpoint does not fit the model',
    ...section('missing from the checkpoint', missing, (name) => withHint(name, unexpected)),
    ...section('not in the model', unexpected, (name) => name),
    ...section('of another shape', [...shapes.keys()], (name) => shapes.get(name)!),
    'check that the configuration is the one of this checkpoint, or pass strict: false to load what fits',
  ].join('\n');
}

function section(title: string, names: readonly string[], show: (name: string) => string): string[] {
  if (names.length === 0) return [];
  const lines = [`  ${names.length} ${title}:`, ...names.slice(0, LISTED).map((name) => `    ${show(name)}`)];
  const modules = new Map<string, number>();
  for (const name of names.slice(LISTED)) {
    const module = name.split('.').slice(0, 3).join('.');
    modules.set(module, (modules.get(module) ?? 0) + 1);
  }
  const rest = [...modules].map(([module, count]) => `${module} (${count})`);
  if (rest.length > 0)
    lines.push(
      `    and ${names.length - LISTED} more in ${rest.slice(0, LISTED).join(', ')}${rest.length > LISTED ? ', …' : ''}`,
    );
  return lines;
}

/** A name that the checkpoint has instead: the same ending under another prefix. */
function withHint(name: string, unexpected: readonly string[]): string {
  const other = unexpected.find((candidate) => candidate.endsWith(`.${name}`) || name.endsWith(`.${candidate}`));
  return other ? `${name} (the checkpoint has '${other}')` : name;
}
