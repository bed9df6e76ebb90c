import { InvalidArgumentError, Option, type Command } from 'commander';
import { openEvaluation, parseShard, type Evaluation, type SegmentationDataset, type Shard } from '@ii/ade20k';
import { IIError } from '@ii/tensor';
import type { LabelMap, RgbInput } from '@ii/tensor/image';
import type { Segmentor } from '@ii/upernet';
import { classTable, type ClassTable } from '../class-names.js';
import { checkWritable, writeFileAtomic } from '../images/index.js';
import { chooseModel, type ChosenModel } from './choose-model.js';
import { dataFingerprint, openData, requireAnnotations } from './evaluate-data.js';
import { renderEvaluationPage } from './evaluate-html.js';
import { addEvaluateMerge } from './evaluate-merge.js';
import {
  checkEvaluateFlags,
  describeRun,
  planAnnotations,
  planLabels,
  type EvaluateFlags,
  type LabelPlan,
} from './evaluate-plan.js';
import { describeResult, showResult } from './evaluate-result.js';
import { openStateFile } from './evaluate-state-file.js';
import { EvaluationDisplay } from './evaluate-text.js';
import { WorstPredictions, worstScores } from './evaluate-worst.js';
import { addDeviceFlags } from './device-flags.js';
import { loadModel } from './load-model.js';
import { parseScale, parseSeed, parseSize } from './options.js';
import type { Session } from './session.js';
import { stoppable } from './stoppable.js';

/** Images in the report's list of the worst. */
const WORST = 8;

/** `ii evaluate`: the figures of a model on a data set. */
export function addEvaluate(program: Command, session: Session): void {
  const evaluate = addDeviceFlags(
    program
      .command('evaluate')
      .description('mIoU and the other figures of a model on a data set, as the paper counts them')
      .option('--data <root>', 'the folder ADEChallengeData2016, or one with images/ and annotations/')
      .option('--model <name>', 'a model of the zoo (ii list)')
      .option('--checkpoint <file>', 'its weights: .pth or .safetensors')
      .option('--config <file>', "the checkpoint's configuration (JSON), where its shapes do not tell it")
      .addOption(
        new Option('--protocol <name>', 'one scale, or the mean over six scales and their flips')
          .choices(['ss', 'ms-flip'])
          .default('ss'),
      )
      .addOption(
        new Option('--mode <name>', 'the whole image in one pass, or windows of it')
          .choices(['whole', 'slide'])
          .default('whole'),
      )
      .option('--crop <HxW>', "windows of --mode slide (default: the model's training crops)", parseSize)
      .option('--stride <HxW>', 'from one window to the next (default: two thirds of --crop)', parseSize)
      .option('--scale <LxS>', "limits of a photo's long and short side (default: the model's)", parseScale)
      .addOption(
        new Option(
          '--labels <rule>',
          'values of the annotations: 0 unlabelled and k class k − 1, or class ids',
        ).choices(['ade20k', 'raw']),
      )
      .option('--limit <n>', 'only the first so many photos', parseLimit)
      .option('--shard <i/n>', 'only the i-th of n parts; its file is for ii evaluate merge', parseShardOption)
      .option('--state <file>', 'keep the state of the run in this file')
      .option('--resume', 'go on from the state, if there is one')
      .addOption(
        new Option('--on-error <what>', 'about unusable photos or annotations')
          .choices(['fail', 'skip'])
          .default('fail'),
      )
      .option('--report <file>', 'write an HTML page with the figures and the worst images'),
  )
    .option('--seed <n>', 'run untrained weights drawn from this seed', parseSeed)
    .action((flags: EvaluateFlags, command: Command) => {
      const { quiet = false } = command.optsWithGlobals<{ quiet?: boolean }>();
      return run(flags, session, quiet);
    });
  addEvaluateMerge(evaluate, session);
}

function parseLimit(value: string): number {
  const limit = /^\d{1,9}$/.test(value) ? Number(value) : 0;
  if (limit < 1) throw new InvalidArgumentError('Expected a whole number of at least 1.');
  return limit;
}

function parseShardOption(value: string): Shard {
  try {
    return parseShard(value);
  } catch (error) {
    if (!(error instanceof IIError)) throw error;
    throw new InvalidArgumentError(error.message);
  }
}

/** Where the state is kept; null for a run that nothing asks to keep. */
function statePath({ state, shard, resume }: EvaluateFlags): string | null {
  if (state !== undefined) return state;
  if (shard) return `evaluation.${shard.index + 1}-of-${shard.count}.json`;
  return resume ? 'evaluation.json' : null;
}

async function run(flags: EvaluateFlags, session: Session, quiet: boolean): Promise<void> {
  checkEvaluateFlags(flags);
  const { output, signal, progress } = session;
  const chosen = await chooseModel(flags, signal);
  let opened: Opened;
  let model: Segmentor;
  try {
    opened = await open(flags, chosen, signal);
    if (chosen.warning) output.warn(chosen.warning);
    model = await loadModel(chosen, flags, session);
  } finally {
    await chosen.checkpoint?.close();
  }
  try {
    const { dataset, plan, state, classes } = opened;
    const segment = async (image: RgbInput): Promise<LabelMap> =>
      (await stoppable(model.segment(image, { ...plan, signal }), signal)).labels;
    const evaluation = await openEvaluation({
      ...{ dataset, segment, run: opened.description, signal },
      ...(flags.shard && { shard: flags.shard }),
      ...(flags.limit !== undefined && { limit: flags.limit }),
      ...(state && { store: state.store }),
      onError: flags.onError === 'skip' ? 'skip' : 'throw',
      onSkip: ({ message }) => {
        progress.clear();
        output.warn(`left out: ${message}`);
      },
    });
    const worst = new WorstPredictions(flags.report === undefined ? 0 : WORST);
    await iterate(evaluation, worst, state?.path, session, quiet);
    const facts = describeResult(evaluation, { flags, chosen, plan, model, statePath: state?.path ?? null });
    if (flags.report !== undefined) {
      const images = worstScores(evaluation.state.images, WORST).map((score) => ({
        score,
        load: async () => {
          const { image, labels } = await dataset.load(score.index);
          return { image, truth: labels!, prediction: worst.of(score.index) ?? (await segment(image)) };
        },
      }));
      const page = await renderEvaluationPage({ facts, state: evaluation.state, classes, worst: images });
      await writeFileAtomic(flags.report, new TextEncoder().encode(page));
    }
    showResult(evaluation, facts, session);
  } finally {
    progress.clear();
    model.dispose();
  }
}

interface Opened {
  readonly classes: ClassTable;
  readonly dataset: SegmentationDataset;
  readonly plan: LabelPlan;
  readonly description: Awaited<ReturnType<typeof describeRun>>;
  readonly state: { readonly path: string; readonly store: Awaited<ReturnType<typeof openStateFile>> } | null;
}

/** Everything that can be refused before the weights are loaded. */
async function open(
  flags: EvaluateFlags & { readonly data: string },
  chosen: ChosenModel,
  signal: AbortSignal,
): Promise<Opened> {
  const plan = planLabels(flags, chosen);
  const classes = classTable(chosen.config.numClasses ?? 150, chosen.checkpoint?.meta);
  const labels = planAnnotations(flags.labels, classes.names.length);
  const dataset = await openData(flags.data, classes.names, labels);
  if (flags.onError === 'fail') requireAnnotations(dataset);
  if (flags.report !== undefined) await checkWritable(flags.report);
  const path = statePath(flags);
  const state = path === null ? null : { path, store: await openStateFile(path, flags.resume ?? false) };
  const data = { fingerprint: dataFingerprint(dataset), labels };
  return { classes, dataset, plan, description: await describeRun(chosen, plan, data, signal), state };
}

/** Runs the evaluation to its end; what interrupts it leaves the state behind. */
async function iterate(
  evaluation: Evaluation,
  worst: WorstPredictions,
  path: string | undefined,
  { output, progress }: Session,
  quiet: boolean,
): Promise<void> {
  const display = new EvaluationDisplay(output, progress, quiet);
  try {
    for await (const { score, prediction, progress: now } of evaluation) {
      worst.add(score, prediction);
      display.show(now);
    }
  } catch (error) {
    progress.clear();
    const { drawn } = evaluation.state;
    if (path !== undefined && drawn > 0) {
      output.warn(`the results so far (${drawn} of the images) are kept in ${path}; --resume goes on behind them`);
    }
    throw error;
  }
  progress.clear();
}
