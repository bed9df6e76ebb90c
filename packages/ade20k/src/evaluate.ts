import type { LabelMap, RgbImage } from '@ii/tensor/image';
import { DatasetError, type SampleError, type SegmentationDataset } from './dataset/index.js';
import {
  describeDifference,
  EvaluationError,
  evaluationReport,
  isComplete,
  newEvaluationState,
  parseEvaluationState,
  shardLength,
  type EvaluationReport,
  type EvaluationState,
  type ImageScore,
  type RunDescription,
  type SkippedEntry,
} from './evaluation-state.js';
import { inProcess, loadSamples } from './loader/index.js';
import { ConfusionMatrix, segmentationMetrics } from './metrics/index.js';
import type { Sample } from './sample.js';
import { sequentialSampler, type SampleRef, type Shard } from './sampler.js';

/** Where an evaluation's state is kept, so that it can go on after an interruption. */
export interface EvaluationStore {
  /** The state stored before; `undefined` to begin anew. */
  load(): Promise<unknown>;
  /** Replaces the stored state as a whole: a crash leaves the old or the new one. */
  save(state: EvaluationState): Promise<void>;
}

/** Options of {@link openEvaluation}. */
export interface EvaluationOptions {
  readonly dataset: SegmentationDataset;
  /** The labels of a photo, `[H, W]`, of its size. */
  readonly segment: (image: RgbImage) => Promise<LabelMap> | LabelMap;
  /** What the result depends on: a state of another description is not gone on with. Default: nothing. */
  readonly run?: RunDescription;
  /** Default: all. */
  readonly shard?: Shard;
  /** Only the first so many entries of the data set, before they are split into shards. Default: all. */
  readonly limit?: number;
  /** Loads an entry as it is, without transforms. Default: in this thread. */
  readonly load?: (ref: SampleRef) => Promise<Sample>;
  /** Entries being loaded ahead. Default 4. */
  readonly prefetch?: number;
  /** What to do about an unusable entry: end with its error, or leave it out and record it. Default `throw`. */
  readonly onError?: 'throw' | 'skip';
  /** Called for each entry left out. */
  readonly onSkip?: (entry: SkippedEntry) => void;
  /** Default: none. */
  readonly store?: EvaluationStore;
  /**
   * After an image, the state is saved if so many seconds passed since the last time; after the first one and at the end
   * always. Default 5.
   */
  readonly saveEvery?: number;
  /** Ends the iteration with the signal's reason; the state is saved first. */
  readonly signal?: AbortSignal;
  /** A clock in milliseconds. Default: `performance.now`. */
  readonly now?: () => number;
}

/** How far an evaluation is. */
export interface EvaluationProgress {
  /** Entries gone through, skipped ones and those of earlier runs included. */
  readonly done: number;
  readonly total: number;
  /** Of this run, since it was opened. */
  readonly imagesPerSecond: number;
  /** At that rate. */
  readonly remainingSeconds: number;
  /** Over the images so far; `NaN` while nothing labelled was seen. */
  readonly mIoU: number;
}

/** An image that was just evaluated. */
export interface EvaluatedImage {
  readonly sample: Sample;
  readonly prediction: LabelMap;
  readonly score: ImageScore;
  readonly progress: EvaluationProgress;
}

/**
 * An evaluation under way: iterate over it to run it. Each image's counts go straight into one confusion matrix. An
 * iteration that ends early (an error, an abort, `break`) saves the state; another one goes on behind it.
 */
export class Evaluation implements AsyncIterable<EvaluatedImage> {
  readonly #options: EvaluationOptions;
  /** The state but for what changes with every image. */
  readonly #base: EvaluationState;
  readonly #matrix: ConfusionMatrix;
  readonly #images: ImageScore[];
  readonly #skipped: SkippedEntry[];
  readonly #now: () => number;
  readonly #started: number;
  readonly #drawnBefore: number;
  #drawn: number;
  /** From the opening to the last entry. */
  #seconds = 0;

  /** Use {@link openEvaluation}. */
  constructor(options: EvaluationOptions, state: EvaluationState) {
    this.#options = options;
    this.#base = state;
    this.#matrix = ConfusionMatrix.fromJSON(state.matrix);
    this.#images = [...state.images];
    this.#skipped = [...state.skipped];
    this.#drawn = this.#drawnBefore = state.drawn;
    this.#now = options.now ?? (() => performance.now());
    this.#started = this.#now();
  }

  /** A copy of the state as it is now. */
  get state(): EvaluationState {
    return {
      ...this.#base,
      drawn: this.#drawn,
      seconds: this.#base.seconds + this.#seconds,
      images: [...this.#images],
      skipped: [...this.#skipped],
      matrix: this.#matrix.toJSON(),
    };
  }

  /** Whether every entry was gone through. */
  get complete(): boolean {
    return isComplete({ ...this.#base, drawn: this.#drawn });
  }

  /** The figures so far. */
  report(): EvaluationReport {
    return evaluationReport(this.state);
  }

  /**
   * Evaluates what is left, one image after another.
   *
   * @throws SampleError, naming the file, for an unusable entry with `onError: 'throw'`, or after 100 in a row;
   *   DatasetError for a data set without annotations; ShapeError if a prediction has not its photo's size; the
   *   signal's reason when it aborts; what `segment` and the store throw.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<EvaluatedImage, void, void> {
    const { dataset, segment, store, saveEvery = 5, signal } = this.#options;
    const one = new ConfusionMatrix(dataset.numClasses);
    // The first image is saved at once, so that a store that does not work is found early.
    let saved = -Infinity;
    let failed = true;
    try {
      for await (const { ref, sample } of this.#samples()) {
        if (sample.labels === undefined) throw new DatasetError('an evaluation needs a data set with annotations');
        const prediction = await segment(sample.image as RgbImage);
        signal?.throwIfAborted();
        one.counts.fill(0);
        one.update(prediction, sample.labels);
        this.#matrix.merge(one);
        const score = scoreOf(one, ref.index, sample.name);
        this.#images.push(score);
        this.#advance(ref.drawn);
        if (store && this.#seconds - saved >= saveEvery) {
          await store.save(this.state);
          saved = this.#seconds;
        }
        yield { sample, prediction, score, progress: this.#progress() };
      }
      failed = false;
    } finally {
      // What went wrong before matters more than a failure to save.
      await store?.save(this.state).catch((error: unknown) => {
        if (!failed) throw error;
      });
    }
  }

  #samples(): ReturnType<typeof loadSamples> {
    const { dataset, load = inProcess({ dataset }), prefetch = 4, onError = 'throw', signal } = this.#options;
    const { entries, shard } = this.#base;
    return loadSamples({
      sampler: sequentialSampler(dataset.length, { shard, limit: entries, drawn: this.#drawn }),
      ...{ load, prefetch, onError },
      onSkip: (error, ref) => this.#skip(error, ref),
      ...(signal && { signal }),
    });
  }

  #skip({ file, message }: SampleError, { index, drawn }: SampleRef): void {
    const entry = { index, file, message };
    this.#skipped.push(entry);
    this.#advance(drawn);
    this.#options.onSkip?.(entry);
  }

  #progress(): EvaluationProgress {
    const { entries, shard } = this.#base;
    const [done, total] = [this.#drawn, shardLength(entries, shard)];
    const imagesPerSecond = (done - this.#drawnBefore) / Math.max(this.#seconds, 1e-9);
    const remainingSeconds = (total - done) / imagesPerSecond;
    return { done, total, imagesPerSecond, remainingSeconds, mIoU: segmentationMetrics(this.#matrix).mIoU };
  }

  /** Notes that the entries up to `drawn` are done. */
  #advance(drawn: number): void {
    this.#drawn = drawn;
    this.#seconds = (this.#now() - this.#started) / 1000;
  }
}

/**
 * Prepares an evaluation, going on from the state in the store if there is one.
 *
 * ```ts
 * const evaluation = await openEvaluation({ dataset, segment });
 * for await (const { progress } of evaluation) console.log(progress.mIoU);
 * console.log(evaluation.report().metrics);
 * ```
 *
 * @throws SamplerError for a shard or limit out of range; FormatError for a stored state that is damaged;
 *   EvaluationError for one of another run.
 */
export async function openEvaluation(options: EvaluationOptions): Promise<Evaluation> {
  const { dataset, run = {}, shard = { index: 0, count: 1 }, limit = dataset.length, store } = options;
  // Checks both.
  sequentialSampler(dataset.length, { shard, limit });
  const fresh = newEvaluationState(run, dataset.classNames, Math.min(limit, dataset.length), shard);
  const stored = await store?.load();
  if (stored === undefined) return new Evaluation(options, fresh);
  const state = parseEvaluationState(stored, 'the stored state');
  const difference =
    describeDifference(state, fresh) ??
    (state.shard.index === shard.index ? undefined : `it is shard ${state.shard.index + 1}, not ${shard.index + 1}`);
  if (difference !== undefined) {
    throw new EvaluationError(
      `the stored state is of another evaluation (stored and now: ${difference}); use another file for this one`,
    );
  }
  return new Evaluation(options, state);
}

function scoreOf(matrix: ConfusionMatrix, index: number, name: string): ImageScore {
  const { mIoU, aAcc } = segmentationMetrics(matrix);
  const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);
  return { index, name, mIoU: orNull(mIoU), aAcc: orNull(aAcc) };
}
