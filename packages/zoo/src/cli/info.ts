import type { Command } from 'commander';
import { resolveInternImageConfig } from '@ii/backbone';
import { storedByteLength, storedElementCount, type StateDict, type StoredDType } from '@ii/tensor';
import { resolveUperNetConfig, UperNet, type UperNetConfig } from '@ii/upernet';
import { openCheckpoint } from '../checkpoint.js';
import { requireUperNetNames } from '../checkpoint-kind.js';
import { readConfigFile } from '../config-file.js';
import { inferConfig, type ConfigSource } from '../infer-config.js';
import type { InputSize, ZooModel } from '../models/model.js';
import { countModel, findModel, getModel } from '../registry.js';
import { parseSize } from './options.js';
import { UsageError } from './output.js';
import type { Session } from './session.js';
import { alignColumns, grouped, showBytes, showSize } from './table.js';

interface InfoFlags {
  readonly size?: InputSize;
  readonly config?: string;
}

/** A model or checkpoint, before it is counted. */
interface Subject {
  readonly title: string;
  readonly model: ZooModel | null;
  readonly config: UperNetConfig;
  /** How each value of the configuration is known; null where a file or the registry gives all. */
  readonly sources: Readonly<Record<string, ConfigSource>> | null;
  readonly testScale: readonly number[] | null;
  readonly file: { readonly path: string; readonly format: string } | null;
  /** The tensors of a checkpoint; null for a model without one. */
  readonly tensors: StateDict | null;
}

interface TensorRow {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: StoredDType;
}

/** `ii info`: what a model or a checkpoint is. */
export function addInfo(program: Command, session: Session): void {
  program
    .command('info')
    .description('configuration, tensors, #param and FLOPs of a model or a checkpoint')
    .argument('<model | checkpoint>', 'a name of ii list, or a .pth or .safetensors file')
    .option('--size <HxW>', "input size that the FLOPs are for (default: the official table's)", parseSize)
    .option('--config <file>', "the checkpoint's configuration (JSON), where its shapes do not tell it")
    .action((subject: string, flags: InfoFlags) => info(subject, flags, session));
}

async function info(name: string, flags: InfoFlags, { output, signal }: Session): Promise<void> {
  const model = findModel(name) ?? (looksLikeFile(name) ? null : getModel(name));
  const subject = model ? fromModel(model, flags) : await fromCheckpoint(name, flags.config, signal);
  const { title, config, sources, testScale, file } = subject;
  const size = flags.size ?? subject.model?.flopsInput ?? [512, 2048];
  const counts = countModel(config, size);
  const network = new UperNet(config);
  const tensors = subject.tensors ? rows(subject.tensors) : rows(new Map(network.namedState()));
  const fit = subject.tensors ? compare(network, subject.tensors) : null;
  const bytes = tensors.reduce((sum, { dtype, shape }) => sum + storedByteLength(dtype, shape), 0);
  const full = { ...resolveUperNetConfig(config), backbone: resolveInternImageConfig(config.backbone) };
  const { published = null, files = null, note = null } = subject.model ?? {};

  output.document({
    ...{ name: subject.model?.name ?? null, title, file: file?.path ?? null, format: file?.format ?? null },
    ...{ ...counts, size, testScale, resolution: subject.model?.resolution ?? null, bytes, fit },
    ...{ config: full, sources, published, files, note, tensors },
  });
  const facts = [
    ...(file ? [['file', `${file.path} (${file.format})`]] : []),
    ['#param', `${grouped(counts.params)}${published ? `  (published: ${published.params})` : ''}`],
    [
      'FLOPs',
      `${grouped(counts.flops)} for an input of ${showSize(size)}${published ? `  (published: ${published.flops} for ${showSize(subject.model!.flopsInput)})` : ''}`,
    ],
    ['tensors', `${grouped(tensors.length)}, ${showBytes(bytes)}`],
    ...(testScale ? [['test scale', `${showSize(testScale)} (long × short side)`]] : []),
    ...(published
      ? [
          [
            'mIoU',
            `${published.mIoU.ss.toFixed(1)} at one scale, ${published.mIoU.ms.toFixed(1)} over scales and flips (ADE20K validation)`,
          ],
        ]
      : []),
    ...Object.entries(files ?? {}),
    ...(note ? [['note', note]] : []),
    ...(fit ? [['fit', showFit(fit)]] : []),
  ];
  output.text(output.style('bold', title));
  output.text(alignColumns(facts, 'll').join('\n'));
  output.text(`\n${output.style('bold', 'configuration')}`);
  output.text(alignColumns(configRows(full, sources), 'lll').join('\n'));
  output.text(`\n${output.style('bold', 'tensors')}`);
  output.text(alignColumns(partRows(tensors), 'lrr').join('\n'));
}

/** Whether an argument that is no model's name must be a path. */
const looksLikeFile = (name: string): boolean => /[/\\]|\.(pth?|safetensors|bin|ckpt|tar)$/i.test(name);

function fromModel(model: ZooModel, { config }: InfoFlags): Subject {
  if (config !== undefined)
    throw new UsageError(`--config is for checkpoints; ${model.name} has its own configuration`);
  return {
    title: model.title,
    model,
    config: model.config,
    sources: null,
    testScale: model.testScale,
    file: null,
    tensors: null,
  };
}

async function fromCheckpoint(path: string, configPath: string | undefined, signal: AbortSignal): Promise<Subject> {
  const given = configPath === undefined ? null : await readConfigFile(configPath);
  const checkpoint = await openCheckpoint(path, { signal });
  await checkpoint.close();
  const { name, format, tensors } = checkpoint;
  const common = { file: { path, format }, tensors };
  if (given) {
    requireUperNetNames(tensors, name);
    return {
      ...common,
      title: name,
      model: null,
      config: given.config,
      sources: null,
      testScale: given.testScale ?? null,
    };
  }
  const { config, sources, model, testScale } = inferConfig(tensors, checkpoint);
  const title = model ? `${model.title} (by its shapes)` : `UPerNet InternImage of ${name}`;
  return { ...common, title, model, config, sources, testScale };
}

function rows(
  tensors: Iterable<readonly [string, { readonly shape: readonly number[]; readonly dtype: StoredDType }]>,
): TensorRow[] {
  return Array.from(tensors, ([name, { shape, dtype }]) => ({ name, shape, dtype }));
}

interface Fit {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly misshapen: readonly string[];
}

/** How the tensors differ from those of the configuration; the batch counters are optional. */
function compare(network: UperNet, tensors: StateDict): Fit {
  const expected = new Map(network.namedState());
  const named = [...expected];
  return {
    missing: named
      .filter(([name]) => !tensors.has(name) && !name.endsWith('.num_batches_tracked'))
      .map(([name]) => name),
    unexpected: [...tensors.keys()].filter((name) => !expected.has(name)),
    misshapen: named
      .filter(([name, { shape }]) => tensors.has(name) && String(tensors.get(name)!.shape) !== String(shape))
      .map(([name]) => name),
  };
}

function showFit(fit: Fit): string {
  const problems = Object.entries(fit).filter(([, names]) => names.length > 0);
  if (problems.length === 0) return 'every tensor is there and has the shape of this configuration';
  return problems
    .map(([kind, names]) => `${names.length} ${kind} (${names[0]}${names.length > 1 ? ', …' : ''})`)
    .join('; ');
}

/** Every value of the configuration on a line, with where it comes from. */
function configRows(config: object, sources: Subject['sources'], prefix = ''): string[][] {
  return Object.entries(config).flatMap(([key, value]) => {
    const path = prefix + key;
    if (value !== null && typeof value === 'object' && !Array.isArray(value))
      return configRows(value, sources, `${path}.`);
    const source = sources?.[path];
    return [[path, JSON.stringify(value), source ? `from ${source}` : '']];
  });
}

/** Tensors and elements of each part of the model. */
function partRows(tensors: readonly TensorRow[]): string[][] {
  const parts = new Map<string, { count: number; elements: number }>();
  for (const { name, shape } of tensors) {
    const part = /^(backbone\.levels\.\d+|[^.]+\.[^.]+|[^.]+)/.exec(name)?.[0] ?? name;
    const sum = parts.get(part) ?? { count: 0, elements: 0 };
    parts.set(part, { count: sum.count + 1, elements: sum.elements + storedElementCount(shape) });
  }
  const head = ['part', 'tensors', 'elements'];
  return [head, ...[...parts].map(([part, { count, elements }]) => [part, grouped(count), grouped(elements)])];
}
