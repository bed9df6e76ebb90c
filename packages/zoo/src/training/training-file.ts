/** Training configurations in JSON files, checked strictly. */
import type { LabelConvention, TransformConfig } from '@ii/ade20k';
import { IIError } from '@ii/tensor';
import * as v from 'valibot';
import { networkKeys, networkSchema } from '../config-file.js';
import { ConfigFileError, parseJsonFile, readTextFile } from '../json-file.js';
import { planTraining, type TrainingOptions } from './plan.js';

/** What a training file says. */
export interface TrainingFile {
  readonly options: TrainingOptions;
  /** Checkpoint to start from: of a classification model, whose backbone is taken, or of a segmentation model. */
  readonly weights: string | null;
  readonly data: TrainingData;
}

/** Where a run's photos lie below `images` and `annotations` of the data folder. */
export interface TrainingData {
  /** What the annotations' values mean. Default: `ade20k` for 150 classes; there is none for others. */
  readonly labels?: LabelConvention;
  /** Default: `training` where there is such a folder, else all files. */
  readonly train?: string;
  /** Default: `validation` where there is such a folder, else no evaluation. null: none. */
  readonly validation?: string | null;
}

const TITLE = 'training configuration';

const count = v.pipe(v.number(), v.integer(), v.minValue(1));
const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const positive = v.pipe(v.number(), v.finite(), v.gtValue(0));
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const size = v.strictTuple([count, count]);

const recipe = v.strictObject({
  iterations: v.exactOptional(count),
  effectiveBatch: v.exactOptional(count),
  crop: v.exactOptional(size),
  scale: v.exactOptional(size),
  lr: v.exactOptional(positive),
  weightDecay: v.exactOptional(share),
  layerDecay: v.exactOptional(share),
  beta1: v.exactOptional(share),
  beta2: v.exactOptional(share),
  eps: v.exactOptional(positive),
  gradientClip: v.exactOptional(v.nullable(positive)),
  warmupIterations: v.exactOptional(whole),
  warmupRatio: v.exactOptional(positive),
  power: v.exactOptional(v.pipe(v.number(), v.finite(), v.minValue(0))),
  minLr: v.exactOptional(v.pipe(v.number(), v.finite(), v.minValue(0))),
  checkpointEvery: v.exactOptional(count),
  evaluateEvery: v.exactOptional(count),
  logEvery: v.exactOptional(count),
});

const data = v.strictObject({
  labels: v.exactOptional(v.picklist(['ade20k', 'raw'])),
  train: v.exactOptional(v.string()),
  validation: v.exactOptional(v.nullable(v.string())),
});

const trainingFile = v.strictObject({
  // By its kind, so that a problem inside a configuration is named by its own path.
  model: v.exactOptional(v.lazy((input) => (typeof input === 'string' ? v.string() : networkSchema))),
  classNames: v.exactOptional(v.pipe(v.array(v.string()), v.minLength(1))),
  numClasses: v.exactOptional(count),
  weights: v.exactOptional(v.string()),
  data: v.exactOptional(data),
  recipe: v.exactOptional(recipe),
  batchSize: v.exactOptional(count),
  accumulate: v.exactOptional(count),
  frozenStages: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(-1))),
  seed: v.exactOptional(whole),
  transforms: v.exactOptional(v.array(v.record(v.string(), v.unknown()))),
  testScale: v.exactOptional(size),
});

const knownKeys = {
  '': Object.keys(trainingFile.entries),
  data: Object.keys(data.entries),
  recipe: Object.keys(recipe.entries),
  model: Object.keys(networkSchema.entries),
  ...Object.fromEntries(Object.entries(networkKeys).map(([path, keys]) => [`model.${path}`, keys])),
};

/**
 * Reads a training configuration from JSON text; an empty object trains the zoo's `internimage-t` by its recipe.
 *
 * @param name what messages call the text.
 * @throws FormatError when the text is not JSON.
 * @throws ConfigFileError that names every unknown key with the nearest known one, and every wrong value, by its path.
 */
export function parseTrainingFile(text: string, name = 'config'): TrainingFile {
  const parsed = parseJsonFile(text, name, { title: TITLE, schema: trainingFile, knownKeys });
  const { weights = null, data: folders = {}, transforms, ...others } = parsed;
  // The list is plain data here; planning checks every entry.
  const options = { ...others, ...(transforms && { transforms: transforms as unknown as TransformConfig[] }) };
  try {
    planTraining(options);
  } catch (error) {
    if (!(error instanceof IIError)) throw error;
    throw new ConfigFileError(name, [error.message], TITLE);
  }
  return { options, weights, data: folders };
}

/**
 * Reads a training configuration file (in Node).
 *
 * @throws IIError with the code `ERR_FILE` when the file cannot be read; otherwise as {@link parseTrainingFile}.
 */
export async function readTrainingFile(path: string): Promise<TrainingFile> {
  return parseTrainingFile(await readTextFile(path, 'the configuration'), path);
}
