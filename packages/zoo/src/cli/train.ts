import { availableParallelism } from 'node:os';
import { Option, type Command } from 'commander';
import { createDevice, type Device } from '@ii/tensor';
import { startSampleWorkers } from '../data/index.js';
import { nodeWorkDirectory } from '../training/node-directory.js';
import { train, TRAINING_FILES, type TrainingResult, type TrainOptions } from '../training/index.js';
import { addDeviceFlags, deviceOptions } from './device-flags.js';
import { percent } from './evaluate-text.js';
import { parseThreads } from './options.js';
import type { Session } from './session.js';
import { TrainingDisplay } from './train-display.js';
import { openTraining, type OpenedTraining, type TrainFlags } from './train-plan.js';

/** `ii train`: trains a model, or goes on with a run. */
export function addTrain(program: Command, session: Session): void {
  addDeviceFlags(
    program
      .command('train')
      .description('train or fine-tune a model by a configuration file; Ctrl-C stops it so that --resume goes on')
      .requiredOption('--config <file>', 'the training configuration (JSON)')
      .requiredOption('--data <root>', 'the folder ADEChallengeData2016, or one with images/ and annotations/')
      .requiredOption('--work-dir <dir>', 'where checkpoints and the log go')
      .option('--resume', 'go on from the checkpoint in the work directory, if there is one')
      .addOption(
        new Option('--on-error <what>', 'about unusable photos or annotations')
          .choices(['fail', 'skip'])
          .default('fail'),
      )
      .option('--check-numerics', 'look at the result of every kernel and name the first that is not finite; slow'),
  )
    .option('--deterministic', 'equal bits in every run on a GPU, too; slower there')
    .option('--workers <n>', 'threads that load photos; 0: none (default: 1 on wasm, else up to 8)', parseThreads)
    .action((flags: TrainFlags, command: Command) => {
      const { quiet = false } = command.optsWithGlobals<{ quiet?: boolean }>();
      return run(flags, session, quiet);
    });
}

async function run(flags: TrainFlags, session: Session, quiet: boolean): Promise<void> {
  const { signal, output } = session;
  const opened = await openTraining(flags, signal);
  let device: Device | undefined;
  let release: (() => Promise<void>) | undefined;
  try {
    const directory = await nodeWorkDirectory(flags.workDir);
    ({ release } = directory);
    const { deterministic = false } = flags;
    device = await createDevice(flags.device, { ...deviceOptions(flags), deterministic });
    const { plan, dataset, validation, checkpoint } = opened;
    const { result, best } = await withLoader(flags, opened, device, async (load) =>
      runToEnd(
        {
          ...{ plan, device: device!, dataset, validation, directory, load, signal },
          ...(checkpoint && { weights: checkpoint }),
          resume: flags.resume ?? false,
          onError: flags.onError === 'skip' ? 'skip' : 'throw',
          checkNumerics: flags.checkNumerics ?? false,
        },
        session,
        quiet,
      ),
    );
    output.document({
      ...{ workDirectory: flags.workDir, device: device.name, selection: device.selection },
      ...{ iterations: result.iteration, best: result.best, metrics: result.report?.metrics ?? null },
      files: { latest: directory.location(TRAINING_FILES.latest), best, log: directory.location(TRAINING_FILES.log) },
    });
    const score = result.best ? `; best mIoU ${percent(result.best.mIoU)} at iteration ${result.best.iteration}` : '';
    output.text(`trained for ${result.iteration} iterations${score}`);
    output.text(`weights: ${best ?? directory.location(TRAINING_FILES.latest)}`);
  } finally {
    session.progress.clear();
    device?.dispose();
    await opened.checkpoint?.close();
    await release?.();
  }
}

/** Runs `body` with threads that load samples, or in this thread. */
async function withLoader<T>(
  { data: root, workers: wanted }: TrainFlags,
  { plan, dataset }: OpenedTraining,
  device: Device,
  body: (load: TrainOptions['load']) => Promise<T>,
): Promise<T> {
  // The CPU device computes on all cores itself.
  const workers = wanted ?? (device.name === 'wasm' ? 1 : Math.min(availableParallelism(), 8));
  if (workers === 0) return body(undefined);
  const { transforms, seed } = plan;
  await using pool = startSampleWorkers({ root, dataset, transforms, seed, workers });
  return await body((ref) => pool.load(ref));
}

/** @returns how the run ended, and the file of its best weights. */
async function runToEnd(
  options: TrainOptions,
  { output, progress }: Session,
  quiet: boolean,
): Promise<{ result: TrainingResult; best: string | null }> {
  const { directory } = options;
  const display = new TrainingDisplay(output, progress, quiet);
  const events = train(options);
  let written: number | null = null;
  try {
    for (;;) {
      const { value, done } = await events.next();
      if (!done) {
        if (value.type === 'start') written = value.resumed ? value.iteration : null;
        if (value.type === 'iteration') written = value.iteration;
        display.show(value);
        continue;
      }
      progress.clear();
      return { result: value, best: value.best ? directory.location(TRAINING_FILES.best) : null };
    }
  } catch (error) {
    progress.clear();
    if (options.signal?.aborted && written !== null) {
      output.warn(`stopped: the run is kept in ${directory.location(TRAINING_FILES.latest)}; --resume goes on with it`);
    }
    throw error;
  }
}
