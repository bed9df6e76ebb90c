/** Which model the flags `--model`, `--checkpoint`, `--config` and `--seed` ask for. */
import { fileURLToPath } from 'node:url';
import { IIError } from '@ii/tensor';
import type { UperNetConfig } from '@ii/upernet';
import { openCheckpoint, type Checkpoint } from '../checkpoint.js';
import { requireUperNetNames } from '../checkpoint-kind.js';
import { readConfigFile } from '../config-file.js';
import { inferConfig } from '../infer-config.js';
import { demoModel } from '../models/demo.js';
import { demoWeightsUrl } from '../models/demo-checkpoint.js';
import type { TestScale, ZooModel } from '../models/model.js';
import { getModel } from '../registry.js';
import { UsageError } from './output.js';

export interface ModelFlags {
  readonly model?: string;
  readonly checkpoint?: string;
  readonly config?: string;
  readonly seed?: number;
}

/** Where the weights come from, as programs read it. */
export type WeightsOrigin =
  | { readonly kind: 'checkpoint' | 'demonstration'; readonly file: string }
  | { readonly kind: 'untrained'; readonly seed: number };

/** The same for a person. */
export function describeWeights(weights: WeightsOrigin): string {
  if (weights.kind === 'untrained') return `untrained, seed ${weights.seed}`;
  return weights.kind === 'demonstration' ? 'trained on drawings, for demonstration' : weights.file;
}

export interface ChosenModel {
  /** The zoo's name; null for a checkpoint that is none of the zoo's models. */
  readonly name: string | null;
  readonly title: string;
  readonly config: UperNetConfig;
  /** null where nothing says which. */
  readonly testScale: TestScale | null;
  /** Open; the caller closes it. null for untrained weights. */
  readonly checkpoint: Checkpoint | null;
  readonly weights: WeightsOrigin;
  /** That the labels mean nothing or little, where they do. */
  readonly warning: string | null;
}

/** An official model was named whose weights are not here. */
export class MissingWeightsError extends IIError {
  constructor(model: ZooModel) {
    const file = model.files?.checkpoint ?? '';
    super(
      'ERR_MISSING_WEIGHTS',
      `the weights of ${model.name} are not here: download ${file} and pass --checkpoint ${file.split('/').at(-1)} ` +
        '(or --seed N to run it untrained)',
    );
  }
}

/**
 * Finds the model and opens its checkpoint, reading names and shapes only.
 *
 * @throws UsageError for flags that do not go together; UnknownModelError, MissingWeightsError, and what reading the
 *   files throws.
 */
export async function chooseModel(flags: ModelFlags, signal: AbortSignal): Promise<ChosenModel> {
  checkFlags(flags);
  const named = flags.model === undefined ? null : getModel(flags.model);
  const file = flags.config === undefined ? null : await readConfigFile(flags.config);
  if (flags.checkpoint !== undefined) return fromCheckpoint(flags.checkpoint, named, file, flags.config, signal);

  const model = named ?? demoModel;
  if (file === null && model === demoModel && flags.seed === undefined) return demonstration(signal);
  if (file === null && flags.seed === undefined) throw new MissingWeightsError(model);
  const seed = flags.seed ?? 0;
  return {
    name: file ? null : model.name,
    title: file ? `the model of ${flags.config}` : model.title,
    config: file?.config ?? model.config,
    testScale: (file ? file.testScale : model.testScale) ?? null,
    checkpoint: null,
    weights: { kind: 'untrained', seed },
    warning: `the weights are untrained (random, seed ${seed}): the labels are meaningless`,
  };
}

async function demonstration(signal: AbortSignal): Promise<ChosenModel> {
  const file = fileURLToPath(demoWeightsUrl());
  const { name, title, config, testScale } = demoModel;
  return {
    ...{ name, title, config, testScale },
    checkpoint: await openCheckpoint(file, { signal }),
    weights: { kind: 'demonstration', file },
    warning: 'this is a demonstration model, trained on drawings: expect little of it on photos',
  };
}

function checkFlags({ model, checkpoint, config, seed }: ModelFlags): void {
  if (model !== undefined && config !== undefined) {
    throw new UsageError('--model and --config both give a configuration; pass one of them');
  }
  if (checkpoint !== undefined && seed !== undefined) {
    throw new UsageError('--seed is for untrained weights and does not go with --checkpoint');
  }
  if (config !== undefined && checkpoint === undefined && seed === undefined) {
    throw new UsageError(
      '--config describes the model of a checkpoint: add --checkpoint FILE (or --seed N to run it untrained)',
    );
  }
}

async function fromCheckpoint(
  path: string,
  named: ZooModel | null,
  file: Awaited<ReturnType<typeof readConfigFile>> | null,
  configPath: string | undefined,
  signal: AbortSignal,
): Promise<ChosenModel> {
  const checkpoint = await openCheckpoint(path, { signal });
  try {
    const common = { checkpoint, weights: { kind: 'checkpoint', file: path }, warning: null } as const;
    if (named || file) {
      requireUperNetNames(checkpoint.tensors, checkpoint.name);
      return named
        ? { ...common, name: named.name, title: named.title, config: named.config, testScale: named.testScale }
        : {
            ...common,
            name: null,
            title: `the model of ${configPath}`,
            config: file!.config,
            testScale: file!.testScale ?? null,
          };
    }
    const { config, model, testScale } = inferConfig(checkpoint.tensors, checkpoint);
    const title = model ? `${model.title} (by its shapes)` : `UPerNet InternImage of ${checkpoint.name}`;
    return { ...common, name: model?.name ?? null, title, config, testScale };
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}
