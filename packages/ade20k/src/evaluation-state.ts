import { FormatError, IIError } from '@ii/tensor';
import { ConfusionMatrix, segmentationMetrics, segmentationReport, type ConfusionMatrixJson } from './metrics/index.js';
import type { Shard } from './sampler.js';

/** Name and version of the stored form. */
const FORMAT = 'ii-evaluation';
const VERSION = 1;

/** What a result depends on besides the data: model, weights, protocol, scale, …; by names of the caller's choice. */
export type RunDescription = Readonly<Record<string, string | number | boolean | null>>;

/** How good one image's labels are, fractions of 1; null where nothing is labelled. */
export interface ImageScore {
  /** Place in the data set. */
  readonly index: number;
  readonly name: string;
  /** Mean IoU over the classes that are labelled or predicted in it. */
  readonly mIoU: number | null;
  readonly aAcc: number | null;
}

/** An entry that could not be used. */
export interface SkippedEntry {
  /** Place in the data set. */
  readonly index: number;
  readonly file: string;
  /** In words; names the file. */
  readonly message: string;
}

/** An evaluation, under way or finished, as plain JSON data: what is stored, resumed and merged. */
export interface EvaluationState {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  readonly run: RunDescription;
  readonly classNames: readonly string[];
  /** Entries of the data set that all shards together go through. */
  readonly entries: number;
  readonly shard: Shard;
  /** Entries of this shard that were gone through, skipped ones included. */
  readonly drawn: number;
  /** Time spent so far; of merged shards the sum. */
  readonly seconds: number;
  /** In the order of the data set. */
  readonly images: readonly ImageScore[];
  readonly skipped: readonly SkippedEntry[];
  readonly matrix: ConfusionMatrixJson;
}

/** Figures as JSON: fractions of 1, null where a class is absent. */
export interface EvaluationReport {
  /** Evaluated images. */
  readonly images: number;
  readonly metrics: {
    readonly aAcc: number | null;
    readonly mAcc: number | null;
    readonly mIoU: number | null;
    readonly mDice: number | null;
  };
  /** By class id; `pixels` are the labelled ones. */
  readonly perClass: readonly {
    readonly name: string;
    readonly iou: number | null;
    readonly acc: number | null;
    readonly pixels: number | null;
  }[];
}

/** A stored evaluation does not belong to this run, or shards do not belong together. */
export class EvaluationError extends IIError {
  constructor(message: string) {
    super('ERR_EVALUATION', message);
  }
}

/** Entries that a shard goes through. */
export function shardLength(entries: number, { index, count }: Shard): number {
  return Math.max(Math.ceil((entries - index) / count), 0);
}

/** The state before the first image. */
export function newEvaluationState(
  run: RunDescription,
  classNames: readonly string[],
  entries: number,
  shard: Shard,
): EvaluationState {
  const matrix = new ConfusionMatrix(classNames.length).toJSON();
  const nothing = { drawn: 0, seconds: 0, images: [], skipped: [] };
  return { format: FORMAT, version: VERSION, run, classNames, entries, shard, ...nothing, matrix };
}

/** Whether every entry was gone through. */
export function isComplete({ entries, shard, drawn }: EvaluationState): boolean {
  return drawn === shardLength(entries, shard);
}

/** The figures of a state. */
export function evaluationReport({ images, classNames, matrix }: EvaluationState): EvaluationReport {
  const figures = segmentationMetrics(ConfusionMatrix.fromJSON(matrix));
  const { metrics, perClass } = segmentationReport(figures, classNames);
  const { aAcc, mAcc, mIoU, mDice } = metrics;
  return {
    images: images.length,
    metrics: { aAcc, mAcc, mIoU, mDice },
    perClass: perClass.map(({ name, iou, acc, pixels }) => ({ name, iou, acc, pixels })),
  };
}

/**
 * Reads a stored state.
 *
 * @param value parsed JSON from anywhere.
 * @param source what messages call it.
 * @throws FormatError if it is something else, of another version, or incomplete.
 */
export function parseEvaluationState(value: unknown, source: string): EvaluationState {
  const state = (value ?? {}) as Partial<EvaluationState>;
  if (state.format !== FORMAT) throw new FormatError(`${source} is not a stored evaluation (no format '${FORMAT}')`);
  if (state.version !== VERSION) {
    throw new FormatError(`${source} has version ${String(state.version)}; this program reads version ${VERSION}`);
  }
  const { run, classNames, entries, shard, drawn, seconds, images, skipped } = state;
  const whole = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
  const valid =
    isRecord(run) &&
    isListOf(classNames, (name) => typeof name === 'string') &&
    whole(entries) &&
    isRecord(shard) &&
    whole(shard.index) &&
    whole(shard.count) &&
    shard.index < shard.count &&
    whole(drawn) &&
    drawn <= shardLength(entries, shard) &&
    Number.isFinite(seconds) &&
    isListOf(images, (image) => isRecord(image) && whole(image['index']) && typeof image['name'] === 'string') &&
    isListOf(skipped, (entry) => isRecord(entry) && whole(entry['index']) && typeof entry['message'] === 'string') &&
    images.length + skipped.length === drawn;
  if (!valid) throw new FormatError(`${source} is a damaged evaluation: fields are missing or contradict each other`);
  const matrix = ConfusionMatrix.fromJSON(state.matrix, `the matrix in ${source}`);
  if (matrix.numClasses !== classNames.length) {
    throw new FormatError(`${source} names ${classNames.length} classes and counts ${matrix.numClasses}`);
  }
  return state as EvaluationState;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isListOf = (value: unknown, check: (item: unknown) => boolean): value is readonly unknown[] =>
  Array.isArray(value) && value.every(check);

/**
 * Where two evaluations differ in what must be the same to add or go on, in words; undefined where they agree. The
 * shard's index is not looked at.
 */
export function describeDifference(a: EvaluationState, b: EvaluationState): string | undefined {
  const facts = ({ run, classNames, entries, shard }: EvaluationState): Map<string, unknown> =>
    new Map<string, unknown>([
      ...Object.entries(run),
      ['class names', JSON.stringify(classNames)],
      ['number of entries', entries],
      ['number of shards', shard.count],
    ]);
  const [first, second] = [facts(a), facts(b)];
  for (const name of new Set([...first.keys(), ...second.keys()])) {
    if (first.get(name) === second.get(name)) continue;
    if (name === 'class names') return 'the class names differ';
    return `${name} is ${String(first.get(name) ?? 'not given')} in one and ${String(second.get(name) ?? 'not given')} in the other`;
  }
  return undefined;
}

/**
 * Adds the shards of one evaluation; the figures are those of a run without shards, to the last bit.
 *
 * @param shards all of them, finished, in any order; `source` is what messages call one.
 * @throws EvaluationError if they do not belong together, one is missing or given twice, or one is not finished.
 */
export function mergeEvaluations(
  shards: readonly { readonly source: string; readonly state: EvaluationState }[],
): EvaluationState {
  const [first] = shards;
  if (first === undefined) throw new EvaluationError('there are no shards to merge');
  const { run, classNames, entries, shard } = first.state;
  const seen = new Map<number, string>();
  for (const { source, state } of shards) {
    const difference = describeDifference(first.state, state);
    if (difference !== undefined) {
      throw new EvaluationError(`${first.source} and ${source} are not of one evaluation: ${difference}`);
    }
    const place = `${state.shard.index + 1}/${state.shard.count}`;
    const other = seen.get(state.shard.index);
    if (other !== undefined) throw new EvaluationError(`${other} and ${source} are both shard ${place}`);
    seen.set(state.shard.index, source);
    if (!isComplete(state)) {
      throw new EvaluationError(
        `${source} is not finished: shard ${place} has ${state.drawn} of ${shardLength(entries, state.shard)} images; resume it first`,
      );
    }
  }
  const missing = Array.from({ length: shard.count }, (_, index) => index).filter((index) => !seen.has(index));
  if (missing.length > 0) {
    const places = missing.map((index) => `${index + 1}/${shard.count}`).join(', ');
    throw new EvaluationError(`${missing.length} of ${shard.count} shards missing: ${places}`);
  }
  const matrix = new ConfusionMatrix(classNames.length);
  for (const { state } of shards) matrix.merge(ConfusionMatrix.fromJSON(state.matrix));
  const byIndex = (a: { readonly index: number }, b: { readonly index: number }): number => a.index - b.index;
  return {
    ...newEvaluationState(run, classNames, entries, { index: 0, count: 1 }),
    drawn: entries,
    seconds: shards.reduce((sum, { state }) => sum + state.seconds, 0),
    images: shards.flatMap(({ state }) => state.images).sort(byIndex),
    skipped: shards.flatMap(({ state }) => state.skipped).sort(byIndex),
    matrix: matrix.toJSON(),
  };
}
