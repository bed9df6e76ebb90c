/** What `ii train` is asked to do, checked before any work. */
import { dirname, resolve } from 'node:path';
import { openDataset, type LabelConvention, type SegmentationDataset } from '@ii/ade20k';
import { FormatError } from '@ii/tensor';
import { openCheckpoint, type Checkpoint } from '../checkpoint.js';
import { nodeAccess } from '../data/index.js';
import { inferConfig } from '../infer-config.js';
import {
  planTraining,
  readTrainingFile,
  type TrainingData,
  type TrainingFile,
  type TrainingPlan,
} from '../training/index.js';
import { requireAnnotations } from './evaluate-data.js';
import { planAnnotations } from './evaluate-plan.js';
import type { DeviceFlags } from './device-flags.js';
import { UsageError } from './output.js';

export interface TrainFlags extends DeviceFlags {
  readonly config: string;
  readonly data: string;
  readonly workDir: string;
  readonly resume?: true;
  readonly workers?: number;
  readonly onError: 'fail' | 'skip';
  readonly checkNumerics?: true;
  readonly deterministic?: true;
}

/** Everything that can be refused before a device is made. */
export interface OpenedTraining {
  readonly plan: TrainingPlan;
  /** Open; the caller closes it. null: the run begins with random values. */
  readonly checkpoint: Checkpoint | null;
  readonly dataset: SegmentationDataset;
  readonly validation: SegmentationDataset | null;
}

/**
 * Reads the configuration, its starting checkpoint's names and shapes, and the data's file names.
 *
 * @throws what reading them throws: every problem is named with its file.
 */
export async function openTraining(flags: TrainFlags, signal: AbortSignal): Promise<OpenedTraining> {
  const file = await readTrainingFile(flags.config);
  const path = file.weights === null ? null : resolve(dirname(flags.config), file.weights);
  const checkpoint = path === null ? null : await openCheckpoint(path, { signal });
  try {
    const plan = planWith(file, checkpoint);
    return { plan, checkpoint, ...(await openData(flags, plan, file.data)) };
  } catch (error) {
    await checkpoint?.close();
    throw error;
  }
}

/** The file's plan; a segmentation checkpoint tells the model where the file does not. */
function planWith({ options }: TrainingFile, checkpoint: Checkpoint | null): TrainingPlan {
  if (options.model !== undefined || !checkpoint) return planTraining(options);
  if (![...checkpoint.tensors.keys()].some((name) => name.startsWith('decode_head.'))) {
    throw new FormatError(
      `'${checkpoint.name}' is no segmentation model, which would tell the configuration: give "model" beside "weights"`,
    );
  }
  const { config, model, testScale } = inferConfig(checkpoint.tensors, checkpoint);
  const recipe = { ...model?.training?.recipe, ...options.recipe };
  return planTraining({ ...(testScale && { testScale }), ...options, model: config, recipe });
}

async function openData(
  { data: root, onError }: TrainFlags,
  { classNames }: TrainingPlan,
  folders: TrainingData,
): Promise<Pick<OpenedTraining, 'dataset' | 'validation'>> {
  const access = nodeAccess(root);
  const exists = async (folder: string): Promise<boolean> => (await access.source.list(folder)) !== undefined;
  const release = 'ADEChallengeData2016';
  const base = (await exists(release)) ? `${release}/` : '';
  const labels = labelsOf(folders.labels, classNames.length);
  const open = async (folder: string): Promise<SegmentationDataset> => {
    const below = folder === '' ? '' : `/${folder}`;
    const places = { images: `${base}images${below}`, annotations: `${base}annotations${below}` };
    const dataset = await openDataset({ ...access, ...places, classNames, labels });
    if (onError === 'fail') requireAnnotations(dataset);
    return dataset;
  };
  const found = async (name: string): Promise<boolean> => exists(`${base}images/${name}`);
  const train = folders.train ?? ((await found('training')) ? 'training' : '');
  const validation = folders.validation ?? ((await found('validation')) ? 'validation' : null);
  const evaluates = folders.validation !== null && validation !== null;
  return { dataset: await open(train), validation: evaluates ? await open(validation) : null };
}

function labelsOf(given: LabelConvention | undefined, numClasses: number): LabelConvention {
  try {
    return planAnnotations(given, numClasses);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(
      `this model has ${numClasses} classes, so the annotations are not ADE20K's: say in the configuration what they mean, "data": { "labels": "ade20k" } (0 is unlabelled, k is class k − 1) or "raw" (values are class ids)`,
    );
  }
}
