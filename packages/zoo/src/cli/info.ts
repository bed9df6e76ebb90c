import type { Command } from 'commander';
import { resolveInternImageConfig } from '@ii/backbone';
import { storedByteLength, storedElementCount, type StateDict, type StoredDType } from '@ii/tensor';
import { resolveUperNetConfig, UperNet, type UperNetConfig } from '@ii/upernet';
import { openCheckpoint } from '../checkpoint.js';
import { requireUperNetNames } from '../checkpoint-kind.js';
import { readConfigFile } from '../config-file.js';
import { inferConfig, type ConfigSource } from '../infer-config.js';
import type { InputSize, TestScale, ZooModel } from '../models/model.js';
import { countModel, findModel, getModel, type ModelCounts } from '../registry.js';
import { compareTensors, showFit, type Fit } from './fit.js';
import { parseSize } from './options.js';
import { UsageError } from './output.js';
import type { Session } from './session.js';
import { alignColumns, grouped, showBytes, showSize } from './table.js';

interface InfoFlags {
  readonly size?: InputSize;
  readonly config?: string;
}

/** A model of the zoo, or a checkpoint and what is known of it. */
interface Subject {
  readonly title: string;
  /** The zoo's model: itself, or for a checkpoint the one of the same shapes. */
  readonly model: ZooModel | null;
  readonly config: UperNetConfig;
  /** How each value of the configuration is known; null where a file or the zoo gives all. */
  readonly sources: Readonly<Record<string, ConfigSource>> | null;
  readonly testScale: TestScale | null;
  /** null for a model. */
  readonly checkpoint: { readonly path: string; readonly format: string; readonly tensors: StateDict } | null;
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
  const named = findModel(name) ?? (looksLikeFile(name) ? null : getModel(name));
  const subject = named ? fromModel(named, flags) : await fromCheckpoint(name, flags.config, signal);
  const { title, model, config, sources, testScale, checkpoint } = subject;
  const size = flags.size ?? model?.flopsInput ?? [512, 2048];
  const counts = countModel(config, size);
  const network = new UperNet(config);
  const entries: Iterable<readonly [string, Omit<TensorRow, 'name'>]> = checkpoint?.tensors ?? network.namedState();
  const tensors = Array.from(entries, ([key, { shape, dtype }]): TensorRow => ({ name: key, shape, dtype }));
  const bytes = tensors.reduce((sum, { dtype, shape }) => sum + storedByteLength(dtype, shape), 0);
  const fit = checkpoint && compareTensors(network, checkpoint.tensors);
  const full = resolveAll(config);
  // Results and remarks are of the zoo's weights, not of every file with these shapes.
  const { published = null, files = null, note = null } = named ?? {};

  output.document({
    ...{ name: model?.name ?? null, title, file: checkpoint?.path ?? null, format: checkpoint?.format ?? null },
    ...{ ...counts, size, testScale, resolution: model?.resolution ?? null, bytes, fit },
    ...{ config: full, sources, published, files, note, tensors },
  });
  const stored = ['tensors', `${grouped(tensors.length)}, ${showBytes(bytes)}`];
  output.text(output.style('bold', title));
  output.text(alignColumns([...facts(subject, named, counts, size, fit), stored], 'll').join('\n'));
  output.text(`\n${output.style('bold', 'configuration')}`);
  output.text(alignColumns(configRows(full, sources), 'lll').join('\n'));
  output.text(`\n${output.style('bold', 'tensors')}`);
  output.text(alignColumns(partRows(tensors), 'lrr').join('\n'));
}

/** Whether an argument that is no model's name must be a path. */
const looksLikeFile = (name: string): boolean => /[/\\]|\.(pth?|safetensors|bin|ckpt|tar)$/i.test(name);

function fromModel(model: ZooModel, flags: InfoFlags): Subject {
  const { name, title, config, testScale } = model;
  if (flags.config !== undefined) {
    throw new UsageError(`--config is for checkpoints; ${name} has its own configuration`);
  }
  return { title, model, config, sources: null, testScale, checkpoint: null };
}

async function fromCheckpoint(path: string, configPath: string | undefined, signal: AbortSignal): Promise<Subject> {
  const given = configPath === undefined ? null : await readConfigFile(configPath);
  const opened = await openCheckpoint(path, { signal });
  await opened.close();
  const { name, format, tensors } = opened;
  const checkpoint = { path, format, tensors };
  if (given) {
    requireUperNetNames(tensors, name);
    const { config, testScale = null } = given;
    return { title: name, model: null, config, sources: null, testScale, checkpoint };
  }
  const inferred = inferConfig(tensors, opened);
  const { model } = inferred;
  return { ...inferred, title: model ? `${name}: the shapes of ${model.title}` : name, checkpoint };
}

/** The configuration with every default filled in. */
function resolveAll(config: UperNetConfig): object {
  const { backbone, ...heads } = resolveUperNetConfig(config);
  const { channels, depths, groups, ...options } = resolveInternImageConfig(backbone);
  return { backbone: { channels, depths, groups, ...options }, ...heads };
}

function facts(
  { testScale, checkpoint }: Subject,
  named: ZooModel | null,
  { params, flops }: ModelCounts,
  size: InputSize,
  fit: Fit | null,
): string[][] {
  const rows: string[][] = [];
  const published = named?.published;
  if (checkpoint) rows.push(['file', `${checkpoint.path} (${checkpoint.format})`]);
  rows.push(['#param', grouped(params) + (published ? `  (published: ${published.params})` : '')]);
  const official = published ? `  (published: ${published.flops} for ${showSize(named.flopsInput)})` : '';
  rows.push(['FLOPs', `${grouped(flops)} for an input of ${showSize(size)}${official}`]);
  if (published) {
    const { ss, ms } = published.mIoU;
    rows.push(['mIoU', `${ss.toFixed(1)} at one scale, ${ms.toFixed(1)} over scales and flips (ADE20K validation)`]);
  }
  if (testScale) rows.push(['test scale', `${showSize(testScale)} (long × short side)`]);
  rows.push(...Object.entries(named?.files ?? {}));
  if (named?.note) rows.push(['note', named.note]);
  if (fit) rows.push(['fit', showFit(fit)]);
  return rows;
}

/** Every value of the configuration on a line, with where it comes from. */
function configRows(config: object, sources: Subject['sources'], prefix = ''): string[][] {
  return Object.entries(config).flatMap(([key, value]) => {
    const path = prefix + key;
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      return configRows(value, sources, `${path}.`);
    }
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
