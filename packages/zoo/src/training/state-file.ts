/** The checkpoint that a training run goes on from: weights, the optimiser's moments, and where the run was. */
import {
  FormatError,
  readSafetensors,
  writeSafetensors,
  type AdamW,
  type ByteSource,
  type StateDict,
  type StoredTensor,
} from '@ii/tensor';
import type { UperNet } from '@ii/upernet';
import { OPTIMIZER_PREFIX, TRAINING_KEY, withoutOptimizer } from '../checkpoint-training.js';
import { CONFIG_KEY } from '../config-text.js';
import type { LogSums } from './log.js';
import type { TrainingPlan } from './plan.js';
import { ResumeError, type WorkDirectory } from './work-directory.js';

/** Names of the files in a work directory. */
export const FILES = { latest: 'latest.safetensors', best: 'best.safetensors', log: 'train.log.json' } as const;

/** Of what the metadata holds. */
const VERSION = 1;

/** The best evaluation so far. */
export interface BestResult {
  readonly iteration: number;
  readonly mIoU: number;
}

/** Where a run was. All chance is a function of seed and iteration, so these are the random state, too. */
export interface TrainingProgress {
  /** Iterations done. */
  readonly iteration: number;
  /** Samples drawn from the sampler. */
  readonly drawn: number;
  /** Times that the data set was begun. */
  readonly epoch: number;
  readonly best: BestResult | null;
  /** Whether the evaluation behind this iteration has yet to be made. */
  readonly evaluationDue: boolean;
  /** Figures since the last line of the log. */
  readonly log: LogSums;
}

interface TrainingState extends TrainingProgress {
  readonly version: typeof VERSION;
  readonly plan: TrainingPlan;
  /** Photos in the training data. */
  readonly entries: number;
}

/** What is written: tensors of the model and of the optimiser, which are read from the device one by one. */
export interface TrainingStateSource {
  readonly network: UperNet;
  readonly optimizer: AdamW;
  readonly plan: TrainingPlan;
  readonly entries: number;
}

/** Replaces the run's checkpoint. A crash leaves the one before. */
export function writeState(
  directory: WorkDirectory,
  { network, optimizer, plan, entries }: TrainingStateSource,
  progress: TrainingProgress,
): Promise<void> {
  const tensors = new Map<string, StoredTensor>(network.stateDict());
  for (const [name, tensor] of optimizer.stateDict()) tensors.set(OPTIMIZER_PREFIX + name, tensor);
  const state: TrainingState = { version: VERSION, ...progress, plan, entries };
  const metadata = { ...modelMetadata(plan, progress.iteration), [TRAINING_KEY]: JSON.stringify(state) };
  return directory.write(FILES.latest, (sink) => writeSafetensors(tensors, sink, { metadata }));
}

/** Replaces the checkpoint of the best evaluation: the model alone. */
export function writeBest(
  directory: WorkDirectory,
  network: UperNet,
  plan: TrainingPlan,
  best: BestResult,
): Promise<void> {
  const metadata = { ...modelMetadata(plan, best.iteration), mIoU: String(best.mIoU) };
  return directory.write(FILES.best, (sink) => writeSafetensors(network.stateDict(), sink, { metadata }));
}

/** What a model's file says about itself. */
function modelMetadata({ model, classNames, testScale }: TrainingPlan, iteration: number): Record<string, string> {
  return {
    CLASSES: JSON.stringify(classNames),
    [CONFIG_KEY]: JSON.stringify({ ...model, testScale }),
    iteration: String(iteration),
  };
}

/** A checkpoint that was opened to go on from it. */
export interface OpenedState {
  readonly progress: TrainingProgress;
  readonly model: StateDict;
  readonly optimizer: StateDict;
  /** What differs between the run before and this one, and may: in words. */
  readonly changes: readonly string[];
  close(): Promise<void>;
}

/**
 * Opens the checkpoint of a work directory, if there is one.
 *
 * @throws FormatError when the file is something else or damaged.
 * @throws ResumeError when it is of another model, other classes or other data.
 */
export async function openState(
  directory: WorkDirectory,
  { plan, entries }: Pick<TrainingStateSource, 'plan' | 'entries'>,
): Promise<OpenedState | undefined> {
  const file = await directory.open(FILES.latest);
  if (!file) return undefined;
  const where = directory.location(FILES.latest);
  try {
    const { tensors, state } = await readState(file, where);
    const changes = comparePlans(state, { plan, entries }, where);
    const { iteration, drawn, epoch, best, evaluationDue, log } = state;
    const optimizer = [...tensors].filter(([name]) => name.startsWith(OPTIMIZER_PREFIX));
    return {
      progress: { iteration, drawn, epoch, best, evaluationDue, log },
      model: withoutOptimizer(tensors),
      optimizer: new Map(optimizer.map(([name, tensor]) => [name.slice(OPTIMIZER_PREFIX.length), tensor])),
      changes,
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readState(file: ByteSource, where: string): Promise<{ tensors: StateDict; state: TrainingState }> {
  const { tensors, metadata } = await readSafetensors(file);
  const text = metadata[TRAINING_KEY];
  if (text === undefined) {
    throw new FormatError(`${where} is no checkpoint of a training run: its metadata has no '${TRAINING_KEY}'`);
  }
  let state: Partial<TrainingState>;
  try {
    state = JSON.parse(text) as Partial<TrainingState>;
  } catch (cause) {
    throw new FormatError(`${where} is damaged: '${TRAINING_KEY}' is no JSON`, { cause });
  }
  if (state.version !== VERSION) {
    throw new FormatError(`${where} has version ${String(state.version)}; this program reads version ${VERSION}`);
  }
  const whole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!whole(state.iteration) || !whole(state.drawn) || !whole(state.epoch) || !state.plan || !state.log) {
    throw new FormatError(`${where} is a damaged checkpoint: fields are missing`);
  }
  return { tensors, state: state as TrainingState };
}

/** What may not change, with words for a person. */
function comparePlans(
  state: TrainingState,
  { plan, entries }: Pick<TrainingStateSource, 'plan' | 'entries'>,
  where: string,
): string[] {
  const refuse = (what: string): never => {
    throw new ResumeError(
      `${where} is of another run: ${what}; go on with the configuration of that run, or give another work directory`,
    );
  };
  const model = firstDifference(state.plan.model, plan.model, 'model');
  if (model !== null) refuse(model);
  const classes = firstDifference(state.plan.classNames, plan.classNames, 'classNames');
  if (classes !== null) refuse(classes);
  if (state.entries !== entries) refuse(`its data has ${state.entries} photos, this one ${entries}`);
  const rest = ['recipe', 'batchSize', 'accumulate', 'frozenStages', 'seed', 'transforms', 'testScale'] as const;
  return rest.flatMap((key) => firstDifference(state.plan[key], plan[key], key) ?? []);
}

/** Where two values of plain data differ first: `model.backbone.channels is 64 there and 80 here`. */
function firstDifference(there: unknown, here: unknown, path: string): string | null {
  if (isTree(there) && isTree(here)) {
    for (const key of new Set([...Object.keys(there), ...Object.keys(here)])) {
      const place = Array.isArray(here) ? `${path}[${key}]` : `${path}.${key}`;
      const difference = firstDifference(there[key], here[key], place);
      if (difference !== null) return difference;
    }
    return null;
  }
  if (Object.is(there, here)) return null;
  const shown = (value: unknown): string => (value === undefined ? 'not given' : JSON.stringify(value));
  return `${path} is ${shown(there)} there and ${shown(here)} here`;
}

const isTree = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
