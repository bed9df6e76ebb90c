/** The zoo's models by name, with the numbers that are computed from their configurations. */
import { IIError } from '@ii/tensor';
import { upernetFlops, UperNet, type UperNetConfig } from '@ii/upernet';
import { demoModel } from './models/demo.js';
import type { InputSize, ZooModel } from './models/model.js';
import { officialModels } from './models/official.js';
import { nearest } from './nearest.js';

/** A name that no model of the zoo has. */
export class UnknownModelError extends IIError {
  constructor(
    readonly model: string,
    /** Names that may have been meant, the likeliest first; may be empty. */
    readonly suggestions: readonly string[],
  ) {
    const hint = suggestions.length > 0 ? ` (did you mean ${suggestions.slice(0, 3).join(' or ')}?)` : '';
    super('ERR_UNKNOWN_MODEL', `unknown model '${model}'${hint}; known are ${names.join(', ')}`);
  }
}

/** All models that can be named: the six official ones and the demo model. */
export const zooModels: readonly ZooModel[] = [...officialModels, demoModel];

const names = zooModels.map((model) => model.name);

/**
 * The model called `name`, if there is one: `internimage-t`, `T`, or the stem of an official file such as
 * `upernet_internimage_t_512_160k_ade20k`. Case does not count, nor `_` for `-`.
 */
export function findModel(name: string): ZooModel | undefined {
  const wanted = normalised(name);
  return zooModels.find((model) => [model.name, ...model.aliases].some((known) => normalised(known) === wanted));
}

/**
 * As {@link findModel}.
 *
 * @throws UnknownModelError with the nearest names when there is no such model.
 */
export function getModel(name: string): ZooModel {
  const model = findModel(name);
  if (model) return model;
  const meant = nearest(
    normalised(name),
    zooModels.flatMap((known) => [known.name, ...known.aliases].map(normalised)),
  );
  throw new UnknownModelError(name, [...new Set(meant.map((known) => findModel(known)!.name))]);
}

/** Size and cost of a model. */
export interface ModelCounts {
  /** Trained scalars of backbone, decode head and auxiliary head; buffers are not counted. */
  readonly params: number;
  /** Multiply-adds of one inference as the official table counts them: backbone and decode head. */
  readonly flops: number;
}

/**
 * #param and FLOPs of a configuration, counted without allocating weights; exact integers wherever both sides of
 * `input` are multiples of 32, as every network input is.
 *
 * @throws IIError when the configuration does not fit together.
 */
export function countModel(config: UperNetConfig, input: InputSize): ModelCounts {
  return { params: new UperNet(config).parameterCount(), flops: Math.round(upernetFlops(config, input)) };
}

const normalised = (name: string): string => name.toLowerCase().replaceAll('_', '-');
