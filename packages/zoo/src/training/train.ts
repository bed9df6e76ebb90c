/** The training runner: iterations, evaluations, checkpoints and the log, on any device and in any environment. */
import {
  openEvaluation,
  type EvaluationReport,
  type LoadedBatch,
  type Sample,
  type SampleRef,
  type SegmentationDataset,
} from '@ii/ade20k';
import { IIError, NumericsError, type Device, type StateDict, type Training } from '@ii/tensor';
import { Segmentor, UperNet } from '@ii/upernet';
import { requireBatchStatistics } from './batch.js';
import { trainingBatches } from './batches.js';
import type { CheckpointEvent, IterationEvent, TrainingEvent } from './events.js';
import {
  LogBuffer,
  logUpTo,
  rounded,
  type IterationFigures,
  type LogHeader,
  type LogLine,
  type ValidationLine,
} from './log.js';
import { batchWarning, type TrainingPlan } from './plan.js';
import { loadStartWeights } from './start-weights.js';
import {
  FILES,
  openState,
  writeBest,
  writeState,
  type BestResult,
  type OpenedState,
  type TrainingProgress,
} from './state-file.js';
import { TrainingStep, type PendingFigures } from './step.js';
import { readText, ResumeError, writeText, type WorkDirectory } from './work-directory.js';

export interface TrainOptions {
  readonly plan: TrainingPlan;
  readonly device: Device;
  readonly dataset: SegmentationDataset;
  /** What evaluations are made on. Default: none are made. */
  readonly validation?: SegmentationDataset | null | undefined;
  /** Where checkpoints and the log go. */
  readonly directory: WorkDirectory;
  /** Go on from the directory's checkpoint, if there is one. Default: false. */
  readonly resume?: boolean | undefined;
  /** A checkpoint's tensors to begin with, of a classification or a segmentation model. Default: random values. */
  readonly weights?: { readonly tensors: StateDict; readonly name: string } | undefined;
  /** Loads and transforms a training sample, for example in worker threads. Default: in this thread. */
  readonly load?: ((ref: SampleRef) => Promise<Sample>) | undefined;
  /** What to do about an unusable entry of the data: end with its error, or leave it out. Default: `throw`. */
  readonly onError?: 'throw' | 'skip' | undefined;
  /** Stops the run behind the iteration that is running; a checkpoint is written, and the signal's reason thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Take batch statistics over several processes; allows one image in a pass. */
  readonly sync?: Training['sync'];
  /** Look at the result of every kernel, to name the first that is not finite; slow. Default: false. */
  readonly checkNumerics?: boolean | undefined;
  /** A clock in milliseconds. Default: `performance.now`. */
  readonly now?: (() => number) | undefined;
}

/** How a run ended. */
export interface TrainingResult {
  readonly iteration: number;
  readonly best: BestResult | null;
  /** Of the last evaluation. */
  readonly report: EvaluationReport | null;
}

/** A loss or gradient is no number any more. */
export class NotFiniteError extends IIError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_NOT_FINITE', message, options);
  }
}

/**
 * Trains a model: iterate over it to run it.
 *
 * ```ts
 * const plan = planTraining({ model: 'internimage-t', classNames: ['roof', 'road'], recipe: { iterations: 2000 } });
 * for await (const event of train({ plan, device, dataset, validation, directory: memoryDirectory() })) {
 *   if (event.type === 'iteration') console.log(event.iteration, event.figures.loss);
 * }
 * ```
 *
 * A run that is stopped (by the signal, or by leaving the loop) writes a checkpoint first; with `resume` it goes on as
 * if nothing had happened, on `wasm` to the bit.
 *
 * @throws ResumeError when the directory holds a run and `resume` is not set, or the run is another; BatchError when a
 *   batch cannot be trained on; NotFiniteError when the loss is no number; the signal's reason; what loading and the
 *   directory throw.
 */
export async function* train(options: TrainOptions): AsyncGenerator<TrainingEvent, TrainingResult, void> {
  const { plan, device, dataset, directory, resume = false } = options;
  options.signal?.throwIfAborted();
  requireBatchStatistics(plan, options.sync !== undefined);
  if (dataset.numClasses !== plan.model.numClasses) {
    throw new IIError(
      'ERR_OPTION',
      `the data set has ${dataset.numClasses} classes, the model ${plan.model.numClasses}; give the data's classNames to the plan`,
    );
  }
  const before = await openState(directory, { plan, entries: dataset.length });
  const step = new TrainingStep(new UperNet(plan.model), device, plan, options.sync);
  try {
    if (before && !resume) {
      throw new ResumeError(
        `${directory.location(FILES.latest)} holds a run of ${before.progress.iteration} iterations: go on with it (--resume), or give another work directory`,
      );
    }
    const warnings = await begin(options, step, before);
    const run = new TrainingRun(options, step, before?.progress);
    const { iteration } = run.progress;
    yield { type: 'start', iteration, iterations: plan.recipe.iterations, resumed: before !== undefined, warnings };
    return yield* run.events();
  } finally {
    await before?.close();
    step.dispose();
  }
}

/** Gives the network its values and the directory its log. @returns warnings. */
async function begin(
  { plan, device, directory, weights }: TrainOptions,
  { network, optimizer }: TrainingStep,
  before: OpenedState | undefined,
): Promise<string[]> {
  const warnings = [batchWarning(plan) ?? []].flat();
  if (before) {
    await network.load(device, before.model);
    await optimizer.load(device, before.optimizer);
    const log = (await readText(directory, FILES.log)) ?? '';
    await writeText(directory, FILES.log, logUpTo(log, before.progress, directory.location(FILES.log)));
    for (const change of before.changes) warnings.push(`the run goes on with another configuration: ${change}`);
    return warnings;
  }
  network.initialize(device, plan.seed);
  if (weights) {
    const { kind, fresh } = await loadStartWeights(network, device, weights.tensors, weights.name);
    if (kind === 'segmentor' && fresh.length > 0) {
      warnings.push(
        `${weights.name} does not fit ${fresh.join(' and ')}, which start${fresh.length > 1 ? '' : 's'} from random values`,
      );
    }
  }
  const header: LogHeader = {
    env_info: `device: ${device.name}\n${device.selection}`,
    seed: plan.seed,
    exp_name: FILES.log.replace('.log.json', ''),
    config: JSON.stringify(plan),
  };
  await writeText(directory, FILES.log, `${JSON.stringify(header)}\n`);
  return warnings;
}

/** An iteration whose work is enqueued and whose figures are awaited. */
interface Flight {
  /** Iterations done with it. */
  readonly iteration: number;
  readonly epoch: number;
  readonly learningRates: readonly number[];
  readonly photos: string;
  readonly dataSeconds: number;
  readonly figures: PendingFigures;
}

/**
 * A run under way. One iteration is always in flight while the next is prepared, so that the device never waits; before
 * anything is written it has landed.
 */
class TrainingRun {
  readonly #options: TrainOptions;
  readonly #step: TrainingStep;
  readonly #now: () => number;
  readonly #log: LogBuffer;
  readonly #warnings: string[] = [];
  #flight: Flight | null = null;
  /** Iterations that the network's values have seen. */
  #iteration: number;
  #drawn: number;
  #epoch: number;
  #best: BestResult | null;
  #evaluationDue: boolean;
  #report: EvaluationReport | null = null;
  /** Iteration of the checkpoint that is written; -1: none. */
  #saved: number;
  /** When the last iteration landed. */
  #landed: number;
  /** Iterations of this run and the seconds that they took. */
  readonly #pace = { iterations: 0, seconds: 0 };

  constructor(options: TrainOptions, step: TrainingStep, before?: TrainingProgress) {
    this.#options = options;
    this.#step = step;
    this.#now = options.now ?? (() => performance.now());
    this.#landed = this.#now();
    this.#log = new LogBuffer(before?.log);
    this.#iteration = before?.iteration ?? 0;
    this.#drawn = before?.drawn ?? 0;
    this.#epoch = before?.epoch ?? 0;
    this.#best = before?.best ?? null;
    this.#evaluationDue = before?.evaluationDue ?? false;
    this.#saved = before?.iteration ?? -1;
  }

  get progress(): TrainingProgress {
    return {
      iteration: this.#iteration,
      drawn: this.#drawn,
      epoch: this.#epoch,
      best: this.#best,
      evaluationDue: this.#evaluationDue,
      log: this.#log.state,
    };
  }

  async *events(): AsyncGenerator<TrainingEvent, TrainingResult, void> {
    const { plan, dataset, load, onError, signal } = this.#options;
    const { iterations } = plan.recipe;
    const batches = trainingBatches({
      ...{ dataset, plan, load, onError, signal },
      drawn: this.#drawn,
      warn: (message) => this.#warnings.push(message),
    });
    let failed = false;
    try {
      if (this.#evaluationDue) yield* this.#evaluate();
      while (this.#iteration < iterations) {
        signal?.throwIfAborted();
        const next = await this.#gather(batches);
        yield* this.#drainWarnings();
        try {
          const before = this.#flight;
          this.#flight = await this.#launch(next);
          if (before) yield await this.#land(before);
          if (this.#isDue(this.#iteration) || this.#iteration === iterations) yield await this.#landLast();
        } catch (error) {
          // The values may be damaged: the checkpoint before is kept.
          failed = true;
          throw error;
        }
        if (!this.#flight) yield* this.#between();
      }
    } finally {
      await batches.return();
      if (!failed) {
        if (this.#flight) await this.#landLast();
        if (this.#saved !== this.#iteration) await this.#save();
      }
    }
    return { iteration: this.#iteration, best: this.#best, report: this.#report };
  }

  /** Waits for the batches of an iteration. */
  async #gather(batches: AsyncGenerator<LoadedBatch, void, void>): Promise<{ list: LoadedBatch[]; seconds: number }> {
    const started = this.#now();
    const list: LoadedBatch[] = [];
    while (list.length < this.#options.plan.accumulate) {
      const { value } = await batches.next();
      if (value) list.push(value);
    }
    return { list, seconds: (this.#now() - started) / 1000 };
  }

  async #launch({
    list,
    seconds,
  }: {
    readonly list: readonly LoadedBatch[];
    readonly seconds: number;
  }): Promise<Flight> {
    const photos = list.flatMap(({ names }) => names).join(', ');
    const figures = this.#options.checkNumerics
      ? Promise.resolve(await this.#checked(list, photos))
      : this.#step.run(this.#iteration, list);
    // It is awaited later; until then a failure must not count as unhandled.
    figures.catch(() => undefined);
    const learningRates = this.#step.learningRates(this.#iteration);
    const last = list.at(-1)!;
    this.#iteration++;
    this.#drawn = last.drawn;
    this.#epoch = last.epoch + 1;
    return { iteration: this.#iteration, epoch: this.#epoch, learningRates, photos, dataSeconds: seconds, figures };
  }

  /** Runs an iteration to its end, looking at the result of every kernel. */
  async #checked(list: readonly LoadedBatch[], photos: string): Promise<Awaited<PendingFigures>> {
    try {
      return await this.#options.device.checkNumerics(() => this.#step.run(this.#iteration, list));
    } catch (error) {
      if (!(error instanceof NumericsError)) throw error;
      throw new NotFiniteError(`iteration ${this.#iteration + 1} (photos ${photos}): ${error.message}`, {
        cause: error,
      });
    }
  }

  async #landLast(): Promise<IterationEvent> {
    const flight = this.#flight!;
    this.#flight = null;
    return this.#land(flight);
  }

  async #land({ iteration, epoch, learningRates, photos, dataSeconds, figures }: Flight): Promise<IterationEvent> {
    const { plan, device } = this.#options;
    const computed = await figures;
    const now = this.#now();
    const seconds = (now - this.#landed) / 1000;
    this.#landed = now;
    if (!Number.isFinite(computed.loss) || !Number.isFinite(computed.gradientNorm)) {
      const what = Number.isFinite(computed.loss)
        ? `norm of the gradients is ${computed.gradientNorm}`
        : `loss is ${computed.loss}`;
      throw new NotFiniteError(
        `iteration ${iteration}: the ${what} (photos ${photos}); train with --check-numerics to find the first operator with such a result`,
      );
    }
    const all: IterationFigures = { ...computed, dataSeconds, seconds };
    this.#log.add(all);
    this.#pace.iterations++;
    this.#pace.seconds += seconds;
    const memory = device.memory().reserved;
    if (iteration % plan.recipe.logEvery === 0) {
      const line = { epoch, iter: iteration, lr: learningRates[0]!, memory: memory / 2 ** 20 };
      await this.#write(this.#log.line(line));
    }
    const left = plan.recipe.iterations - iteration;
    return {
      ...{
        type: 'iteration',
        iteration,
        iterations: plan.recipe.iterations,
        epoch,
        figures: all,
        learningRates,
        memory,
      },
      lr: Math.max(...learningRates),
      remainingSeconds: (left * this.#pace.seconds) / this.#pace.iterations,
    };
  }

  /** Whether something is written behind an iteration. */
  #isDue(iteration: number): boolean {
    const { recipe } = this.#options.plan;
    return iteration % recipe.checkpointEvery === 0 || this.#evaluates(iteration);
  }

  #evaluates(iteration: number): boolean {
    const { validation, plan } = this.#options;
    const { evaluateEvery, iterations } = plan.recipe;
    return validation != null && (iteration % evaluateEvery === 0 || iteration === iterations);
  }

  /** Checkpoint and evaluation. The checkpoint comes first, so that an evaluation that fails loses nothing. */
  async *#between(): AsyncGenerator<TrainingEvent, void, void> {
    this.#evaluationDue = this.#evaluates(this.#iteration);
    yield await this.#save();
    if (this.#evaluationDue) yield* this.#evaluate();
    this.#landed = this.#now();
  }

  async *#evaluate(): AsyncGenerator<TrainingEvent, void, void> {
    const { validation, plan, device, directory, signal, onError } = this.#options;
    const iteration = this.#iteration;
    const { network } = this.#step;
    this.#step.rest();
    const segmentor = new Segmentor(network, device, null, null);
    try {
      const evaluation = await openEvaluation({
        dataset: validation!,
        segment: async (image) => (await segmentor.segment(image, { scale: plan.testScale, signal })).labels,
        onSkip: ({ message }) => this.#warnings.push(`left out of the evaluation: ${message}`),
        ...(onError && { onError }),
        ...(signal && { signal }),
      });
      for await (const { progress } of evaluation) {
        const { done, total, remainingSeconds } = progress;
        yield { type: 'evaluating', iteration, done, total, remainingSeconds };
      }
      this.#report = evaluation.report();
    } finally {
      segmentor.release();
    }
    yield* this.#drainWarnings();
    const { aAcc, mIoU, mAcc } = this.#report.metrics;
    const improved = mIoU !== null && mIoU > (this.#best?.mIoU ?? -1);
    if (improved) {
      this.#best = { iteration, mIoU };
      await writeBest(directory, network, plan, this.#best);
    }
    const lr = this.#step.learningRates(iteration - 1)[0]!;
    const figures = Object.fromEntries(
      Object.entries({ aAcc, mIoU, mAcc }).map(([key, value]) => [key, value === null ? null : rounded(value)]),
    ) as Pick<ValidationLine, 'aAcc' | 'mIoU' | 'mAcc'>;
    await this.#write({ mode: 'val', epoch: this.#epoch, iter: iteration, lr: Number(lr.toPrecision(6)), ...figures });
    this.#evaluationDue = false;
    yield { type: 'evaluation', iteration, report: this.#report, best: this.#best, improved };
    yield await this.#save();
  }

  async #save(): Promise<CheckpointEvent> {
    const { directory, plan, dataset } = this.#options;
    const { network, optimizer } = this.#step;
    await writeState(directory, { network, optimizer, plan, entries: dataset.length }, this.progress);
    this.#saved = this.#iteration;
    return { type: 'checkpoint', iteration: this.#iteration, file: directory.location(FILES.latest) };
  }

  #write(line: LogLine): Promise<void> {
    return this.#options.directory.append(FILES.log, `${JSON.stringify(line)}\n`);
  }

  *#drainWarnings(): Generator<TrainingEvent, void, void> {
    for (const message of this.#warnings.splice(0)) yield { type: 'warning', message };
  }
}
