/** What a training run does, as plain data: the official recipe with what the user wants otherwise. */
import { compose, trainTransforms, type TransformConfig } from '@ii/ade20k';
import { IIError, polySchedule } from '@ii/tensor';
import { UperNet, type UperNetConfig } from '@ii/upernet';
import { classTable } from '../class-names.js';
import type { TestScale, ZooModel } from '../models/model.js';
import type { TrainingRecipe } from '../models/training-recipe.js';
import { getModel } from '../registry.js';

/** What a person decides about a training run; everything has a default. */
export interface TrainingOptions {
  /** A model of the zoo by its name, or a configuration. Default: the zoo's `internimage-t`. */
  readonly model?: string | UperNetConfig;
  /** Names of the classes, by id; both heads get as many outputs. */
  readonly classNames?: readonly string[];
  /** Number of classes, where they have no names. Default: the model's, 150. */
  readonly numClasses?: number;
  /** Where to differ from the model's recipe. A configuration of one's own has that of `internimage-t`. */
  readonly recipe?: Partial<TrainingRecipe>;
  /** Images in one pass; batch norm sees so many. Default: 2. */
  readonly batchSize?: number;
  /** Passes whose gradients are added before a step of the optimiser. Default: 1. */
  readonly accumulate?: number;
  /** 0 freezes the stem, n the stem and the first n stages of the backbone. Default: -1, nothing. */
  readonly frozenStages?: number;
  /** Seed of the starting weights, the order of the samples, their transforms and all drops. Default: 0. */
  readonly seed?: number;
  /** Transforms of the samples. Default: the official ones, at the recipe's scale and crop. */
  readonly transforms?: readonly TransformConfig[];
  /** Limits of a photo's long and short side in evaluations. Default: the recipe's scale. */
  readonly testScale?: TestScale;
}

/** A training run with every value decided, by {@link planTraining}. */
export interface TrainingPlan {
  readonly model: UperNetConfig & { readonly numClasses: number };
  readonly classNames: readonly string[];
  readonly recipe: TrainingRecipe;
  readonly batchSize: number;
  readonly accumulate: number;
  readonly frozenStages: number;
  readonly seed: number;
  readonly transforms: readonly TransformConfig[];
  readonly testScale: TestScale;
}

/**
 * Decides every value and checks that they go together.
 *
 * @throws UnknownModelError; TransformConfigError; IIError for a value out of range.
 */
export function planTraining(options: TrainingOptions = {}): TrainingPlan {
  const { batchSize = 2, accumulate = 1, frozenStages = -1, seed = 0, classNames } = options;
  const known = typeof options.model === 'object' ? null : getModel(options.model ?? 'internimage-t');
  const config = known?.config ?? (options.model as UperNetConfig);
  const recipe = { ...recipeOf(known), ...options.recipe };
  const numClasses = classNames?.length ?? options.numClasses ?? config.numClasses ?? 150;
  if (options.numClasses !== undefined && options.numClasses !== numClasses) {
    throw new IIError(
      'ERR_OPTION',
      `numClasses is ${options.numClasses}, but classNames has ${numClasses} names; leave numClasses out`,
    );
  }
  const plan: TrainingPlan = {
    model: { ...config, numClasses },
    classNames: classNames ?? classTable(numClasses).names,
    ...{ recipe, batchSize, accumulate, frozenStages, seed },
    transforms: options.transforms ?? trainTransforms({ scale: recipe.scale, crop: recipe.crop }),
    testScale: options.testScale ?? known?.testScale ?? recipe.scale,
  };
  checkPlan(plan);
  return plan;
}

function recipeOf(model: ZooModel | null): TrainingRecipe {
  return (model?.training ?? getModel('internimage-t').training!).recipe;
}

function checkPlan({ model, recipe, batchSize, accumulate, seed, transforms }: TrainingPlan): void {
  const { iterations, checkpointEvery, evaluateEvery, logEvery, effectiveBatch } = recipe;
  const counts = { batchSize, accumulate, iterations, checkpointEvery, evaluateEvery, logEvery, effectiveBatch };
  for (const [name, value] of Object.entries(counts)) {
    require(name, value, Number.isSafeInteger(value) && value >= 1, 'a positive integer');
  }
  require('seed', seed, Number.isSafeInteger(seed) && seed >= 0, 'an integer of at least 0');
  require('lr', recipe.lr, recipe.lr > 0, 'a number above 0');
  const clip = recipe.gradientClip;
  if (clip !== null) require('gradientClip', clip, clip > 0, 'a number above 0, or null');
  // Each of these checks its own part.
  new UperNet(model).dispose();
  polySchedule(recipe);
  compose(transforms);
}

function require(name: string, value: number, valid: boolean, expected: string): void {
  if (!valid) throw new IIError('ERR_OPTION', `${name} must be ${expected}, got ${value}`);
}

/** Images in one step of the optimiser. */
export const effectiveBatch = ({ batchSize, accumulate }: TrainingPlan): number => batchSize * accumulate;

/**
 * What a person should know about a plan whose batch is not the one that its learning rate is for: the rate that the
 * linear rule (Goyal et al., arXiv 1706.02677) proposes. null where the two agree.
 */
export function batchWarning(plan: TrainingPlan): string | null {
  const { lr, effectiveBatch: wanted } = plan.recipe;
  const images = effectiveBatch(plan);
  if (images === wanted) return null;
  const proposed = Number(((lr * images) / wanted).toPrecision(4));
  const passes =
    wanted % plan.batchSize === 0 ? `, or accumulate ${wanted / plan.batchSize} for the recipe's batch` : '';
  return (
    `the effective batch is ${images} (${plan.batchSize} × ${plan.accumulate}) and the recipe's learning rate of ${lr} is ` +
    `for ${wanted}: set lr ${proposed} with effectiveBatch ${images}${passes}`
  );
}
