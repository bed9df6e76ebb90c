import { availableParallelism, cpus } from 'node:os';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { TraceEntry } from '@ii/tensor';
import { createUperNet, type Segmentor } from '@ii/upernet';
import type { InputSize } from '../models/model.js';
import { countModel, findModel } from '../registry.js';
import { benchTraining } from './bench-training.js';
import { chooseModel, type ChosenModel, type ModelFlags } from './choose-model.js';
import { addDeviceFlags, deviceOptions, type DeviceFlags } from './device-flags.js';
import { parseSeed, parseSize } from './options.js';
import type { Session } from './session.js';
import { stoppable } from './stoppable.js';
import { alignColumns, showBytes, showDuration, showSize } from './table.js';
import { showTraceOfRun, traceTask, type BenchTrace } from './bench-trace.js';
import { tuneTask } from './bench-tune.js';
import { median, tenths } from './figures.js';
import { LabelTask } from './label-task.js';
import { untrainedWeights } from './untrained-weights.js';

interface BenchFlags extends ModelFlags, DeviceFlags {
  readonly size?: InputSize;
  readonly runs: number;
  readonly trace?: true;
  readonly tune?: true;
  readonly train?: true;
  readonly batch: number;
  readonly withCp?: boolean;
}

/** Where neither the flags nor the model say another. */
const DEFAULT_SIZE: InputSize = [512, 512];
/** As many as a device takes by itself at most. */
const MAX_DEFAULT_THREADS = 16;
const MAX_RUNS = 1000;
const MAX_BATCH = 64;

/** `ii bench`: how long a model takes. */
export function addBench(program: Command, session: Session): void {
  addDeviceFlags(
    program
      .command('bench')
      .description(
        'time a model from the input tensor to the label map; untrained weights unless --checkpoint is given',
      )
      .option('--model <name>', 'a model of the zoo (ii list)')
      .option('--checkpoint <file>', 'weights to run: .pth or .safetensors')
      .option('--config <file>', 'the configuration (JSON) of the checkpoint, or of a model that is none of the zoo')
      .option('--size <HxW>', "input size of the network (default: the model's training crops)", parseSize),
  )
    .addOption(new Option('--runs <n>', 'timed runs, after one to warm up').argParser(countUpTo(MAX_RUNS)).default(5))
    .option('--seed <n>', 'of the untrained weights (default: 0)', parseSeed)
    .option('--trace', 'then run once more and show the time of every kernel')
    .option('--tune', "measure the GPU's launch parameters for this work first (device.tune), and run with the fastest")
    .option('--train', 'time training iterations instead: forward pass, losses, backward pass, AdamW')
    .addOption(new Option('--batch <n>', 'images of a training iteration').argParser(countUpTo(MAX_BATCH)).default(2))
    .option(
      '--with-cp',
      "training with checkpoints: blocks are computed again in the backward pass (default: the model's)",
    )
    .option('--no-with-cp', 'training without checkpoints')
    .action((flags: BenchFlags) => bench(flags, session));
}

const countUpTo =
  (most: number) =>
  (value: string): number => {
    const count = /^\d{1,4}$/.test(value) ? Number(value) : Number.NaN;
    if (!(count >= 1 && count <= most)) throw new InvalidArgumentError(`Expected a whole number from 1 to ${most}.`);
    return count;
  };

async function bench(flags: BenchFlags, session: Session): Promise<void> {
  const { progress, signal } = session;
  // The weights do not matter here: a model without a checkpoint needs no permission to be untrained.
  const seed = flags.checkpoint === undefined ? { seed: flags.seed ?? 0 } : {};
  const started = performance.now();
  const chosen = await chooseModel({ ...flags, ...seed }, signal);
  const size = flags.size ?? findModel(chosen.name ?? '')?.resolution ?? DEFAULT_SIZE;
  const threads = flags.threads ?? Math.min(availableParallelism(), MAX_DEFAULT_THREADS);
  const withCp = flags.withCp ?? chosen.config.backbone.withCp ?? false;
  let model: Segmentor;
  try {
    const { config } = chosen;
    const asked = { ...config, backbone: { ...config.backbone, withCp } };
    model = await load({ ...chosen, config: asked }, { ...flags, threads }, session);
  } finally {
    progress.clear();
    await chosen.checkpoint?.close();
  }
  const loadMs = performance.now() - started;
  try {
    if (flags.train) await benchTraining(model, chosen, { ...flags, withCp, size, threads }, session);
    else await benchInference(model, chosen, { ...flags, size, threads, loadMs }, session);
  } finally {
    progress.clear();
    model.dispose();
  }
}

interface InferenceBench extends BenchFlags {
  readonly size: InputSize;
  readonly threads: number;
  readonly loadMs: number;
}

async function benchInference(
  model: Segmentor,
  chosen: ChosenModel,
  flags: InferenceBench,
  session: Session,
): Promise<void> {
  const { output, progress, signal } = session;
  const { size, threads, loadMs } = flags;
  const task = new LabelTask(model, size);
  try {
    if (flags.tune) await tuneTask(model.device, () => task.runPlainly(), session);
    const warmupMs = await milliseconds(() => stoppable(task.warmUp(), signal));
    const runsMs: number[] = [];
    for (let run = 0; run < flags.runs; run++) {
      progress.show('measuring', run, flags.runs);
      runsMs.push(await milliseconds(() => stoppable(task.run(), signal)));
    }
    progress.clear();
    // Taken before a trace, which is another way to run.
    const peakRssBytes = process.resourceUsage().maxRSS * 1024;
    const onWasm = model.device.name === 'wasm';
    const entries = (): Promise<TraceEntry[]> => model.device.trace(() => task.runPlainly());
    const trace = flags.trace ? await stoppable(traceTask(entries(), onWasm ? threads : null), signal) : null;
    const report: BenchReport = {
      ...{ model: chosen.name, title: chosen.title, weights: chosen.weights, size },
      ...{ device: model.device.name, selection: model.device.selection, threads: onWasm ? threads : null },
      tuned: (flags.tune ?? false) && model.device.name === 'webgpu',
      medianMs: tenths(median(runsMs)),
      minMs: tenths(Math.min(...runsMs)),
      ...{ warmupMs: tenths(warmupMs), loadMs: tenths(loadMs), runsMs: runsMs.map(tenths) },
      ...{ peakRssBytes, macs: countModel(chosen.config, size).flops },
      ...{ node: process.version, cpu: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}` },
      ...(trace && { trace }),
    };
    output.document(report);
    for (const line of showReport(report)) output.text(line);
  } finally {
    task.dispose();
  }
}

/** Makes the device and puts the weights on it. */
function load(
  { config, checkpoint, weights }: ChosenModel,
  flags: DeviceFlags,
  { progress, signal }: Session,
): Promise<Segmentor> {
  return createUperNet(config, {
    weights: checkpoint?.tensors ?? untrainedWeights(config, weights.kind === 'untrained' ? weights.seed : 0),
    ...deviceOptions(flags),
    ...{ device: flags.device, signal },
    onProgress: ({ loaded, total }) => progress.show('loading weights', loaded, total),
  });
}

/** What `--json` prints. */
interface BenchReport {
  /** The zoo's name; null for a checkpoint or configuration that is none of the zoo's models. */
  readonly model: string | null;
  readonly title: string;
  readonly weights: ChosenModel['weights'];
  readonly size: InputSize;
  readonly device: string;
  readonly selection: string;
  /** null for devices without worker threads. */
  readonly threads: number | null;
  /** Whether launch parameters were measured first. */
  readonly tuned: boolean;
  readonly medianMs: number;
  readonly minMs: number;
  /** The first run: weights are prepared, and the work is recorded. */
  readonly warmupMs: number;
  /** Opening the device, and the weights into the host's memory. */
  readonly loadMs: number;
  readonly runsMs: readonly number[];
  /** The most memory that the process ever held. */
  readonly peakRssBytes: number;
  /** Multiply-adds of one run as the official table counts them, by the plain algorithms. */
  readonly macs: number;
  readonly node: string;
  readonly cpu: string;
  readonly trace?: BenchTrace;
}

function showReport(report: BenchReport): string[] {
  const { title, size, device, threads, medianMs, minMs, warmupMs, loadMs, runsMs, peakRssBytes, macs, trace } = report;
  const workers = threads === null ? '' : `, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  const runs = runsMs.length === 1 ? '1 run' : `${runsMs.length} runs, fastest ${showDuration(minMs)}`;
  const facts = [
    ['median', `${showDuration(medianMs)} (${runs})`],
    ['warm-up', showDuration(warmupMs)],
    ['loading', showDuration(loadMs)],
    ['peak memory', showBytes(peakRssBytes)],
    ['arithmetic', `${(macs / 1e9).toFixed(1)} GMAC, ${(macs / medianMs / 1e6).toFixed(1)} GMAC/s`],
    ['device', report.selection],
    ['machine', `${report.cpu}, Node ${report.node}`],
  ];
  const lines = [`${title}, ${showSize(size)} on ${device}${workers}`, ...alignColumns(facts, 'll')];
  return trace ? [...lines, '', ...showTraceOfRun(trace)] : lines;
}

/** How long `work` takes. */
async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
