import { cpus } from 'node:os';
import {
  AdamW,
  mul,
  Random,
  record,
  scope,
  type Device,
  type MomentsSync,
  type Parameter,
  type Tensor,
  type TraceEntry,
} from '@ii/tensor';
import { layerDecayGroups, type Segmentor, type UperNet } from '@ii/upernet';
import type { InputSize } from '../models/model.js';
import { showTraceOfRun, traceTask, type BenchTrace } from './bench-trace.js';
import { tuneTask } from './bench-tune.js';
import type { ChosenModel } from './choose-model.js';
import { median, tenths } from './figures.js';
import type { Session } from './session.js';
import { stoppable } from './stoppable.js';
import { alignColumns, showBytes, showDuration, showSize } from './table.js';

/** One training iteration in parts, in milliseconds. */
export interface IterationTimes {
  /** From the batch on the host to the losses. */
  readonly forwardMs: number;
  readonly backwardMs: number;
  /** The optimiser. */
  readonly stepMs: number;
}

/**
 * Statistics as if another process trained on the same image: one image alone has one value per channel where BatchNorm
 * follows pooling to 1×1, and the recipe that has one image per GPU combines the statistics of all GPUs. What one of them
 * computes is timed, not what passes between them.
 */
const withATwin: MomentsSync = {
  moments: (own) => ({ ...own, count: 2 * own.count }),
  sums: ({ weight, bias }) => ({ weight: mul(weight, 2), bias: mul(bias, 2) }),
};

/** Training iterations on one random batch: forward pass, both losses, backward pass, AdamW. */
export class TrainingTask {
  readonly #network: UperNet;
  readonly #device: Device;
  readonly #images: Float32Array;
  readonly #labels: Uint8Array;
  readonly #shape: readonly [number, number, number];
  readonly #optimizer: AdamW;

  constructor({ network, device }: Segmentor, size: InputSize, batch: number) {
    this.#network = network;
    this.#device = device;
    this.#shape = [batch, ...size];
    const random = new Random(0);
    const pixels = batch * size[0] * size[1];
    this.#images = Float32Array.from({ length: pixels * 3 }, () => random.uniform(-2, 2));
    this.#labels = Uint8Array.from({ length: pixels }, () => random.integer(network.config.numClasses));
    network.train({ random: new Random(1), ...(batch === 1 && { sync: withATwin }) });
    this.#optimizer = new AdamW(layerDecayGroups(network));
  }

  /** What the device holds for the backward pass, beyond all forms of the weights, in bytes. */
  async activationBytes(): Promise<number> {
    const device = this.#device;
    using images = device.tensor(this.#images, [...this.#shape, 3]);
    using labels = device.tensor(this.#labels, this.#shape);
    const loss = (): Tensor => this.#network.losses(images, labels).total;
    // The first pass packs the weights.
    scope(loss).dispose();
    await device.finish();
    const before = device.memory().used;
    const recording = record(
      loss,
      this.#parameters().map(({ tensor }) => tensor),
    );
    await device.finish();
    const bytes = device.memory().used - before;
    recording.dispose();
    recording.value.dispose();
    return bytes;
  }

  /**
   * One iteration.
   *
   * @param inParts whether its parts are waited for one after the other, so that each has a time of its own.
   */
  async run(inParts = true): Promise<IterationTimes> {
    const device = this.#device;
    const part = async (): Promise<number> => {
      if (inParts) await device.finish();
      return performance.now();
    };
    await device.finish();
    const started = performance.now();
    using images = device.tensor(this.#images, [...this.#shape, 3]);
    using labels = device.tensor(this.#labels, this.#shape);
    const parameters = this.#parameters();
    const { value, backward } = record(
      () => this.#network.losses(images, labels).total,
      parameters.map(({ tensor }) => tensor),
    );
    const forward = await part();
    backward(value).forEach((gradient, i) => gradient && parameters[i]!.addGradient(gradient));
    const backwardDone = await part();
    this.#step();
    await value.read();
    value.dispose();
    return {
      forwardMs: forward - started,
      backwardMs: backwardDone - forward,
      stepMs: performance.now() - backwardDone,
    };
  }

  trace(): Promise<TraceEntry[]> {
    return this.#device.trace(() => this.run());
  }

  dispose(): void {
    this.#optimizer.dispose();
    this.#network.train(null);
  }

  #parameters(): Parameter[] {
    return [...this.#network.namedParameters()].map(([, parameter]) => parameter);
  }

  #step(): void {
    // The rate is small, so that a few iterations on noise do not blow up.
    this.#optimizer.step(this.#optimizer.groups.map(() => 1e-6));
    this.#optimizer.zeroGradients();
  }
}

/** What `ii bench --train --json` prints. */
interface TrainingReport {
  /** The zoo's name; null for a checkpoint or configuration that is none of the zoo's models. */
  readonly model: string | null;
  readonly title: string;
  readonly size: InputSize;
  readonly batch: number;
  readonly withCp: boolean;
  readonly device: string;
  /** What the device is, in its own words. */
  readonly selection: string;
  /** null for devices without worker threads. */
  readonly threads: number | null;
  /** Whether launch parameters were measured first. */
  readonly tuned: boolean;
  /** Of whole iterations; on a GPU of others than the parts, which are waited for. */
  readonly medianMs: number;
  /** Medians, each part by itself. */
  readonly forwardMs: number;
  readonly backwardMs: number;
  readonly stepMs: number;
  readonly warmupMs: number;
  readonly runsMs: readonly number[];
  /** What the device held between forward and backward pass, beyond weights, gradients and moments. */
  readonly activationBytes: number;
  readonly peakRssBytes: number;
  readonly node: string;
  readonly cpu: string;
  readonly trace?: BenchTrace;
}

export interface TrainingBench {
  readonly size: InputSize;
  readonly batch: number;
  readonly threads: number;
  readonly runs: number;
  readonly withCp: boolean;
  readonly trace?: true;
  readonly tune?: true;
}

/** Times training iterations and prints the report. */
export async function benchTraining(
  model: Segmentor,
  { name, title }: ChosenModel,
  flags: TrainingBench,
  session: Session,
): Promise<void> {
  const { output, progress, signal } = session;
  const { size, batch, withCp, runs } = flags;
  const task = new TrainingTask(model, size, batch);
  try {
    if (flags.tune) await tuneTask(model.device, () => task.run(), session);
    const onGpu = model.device.name === 'webgpu';
    const whole = ({ forwardMs, backwardMs, stepMs }: IterationTimes): number => forwardMs + backwardMs + stepMs;
    const warmupMs = whole(await stoppable(task.run(), signal));
    const [parts, runsMs]: [IterationTimes[], number[]] = [[], []];
    for (let run = 0; run < runs; run++) {
      progress.show('measuring', run, runs);
      const times = await stoppable(task.run(), signal);
      parts.push(times);
      // The host runs ahead of a GPU, unless it waits for each part.
      runsMs.push(whole(onGpu ? await stoppable(task.run(false), signal) : times));
    }
    progress.clear();
    const peakRssBytes = process.resourceUsage().maxRSS * 1024;
    const threads = model.device.name === 'wasm' ? flags.threads : null;
    const trace = flags.trace ? await stoppable(traceTask(task.trace(), threads), signal) : null;
    const middle = (of: (times: IterationTimes) => number): number => tenths(median(parts.map(of)));
    const report: TrainingReport = {
      ...{ model: name, title, size, batch, withCp },
      ...{
        device: model.device.name,
        selection: model.device.selection,
        threads,
        tuned: (flags.tune ?? false) && onGpu,
      },
      medianMs: tenths(median(runsMs)),
      forwardMs: middle((t) => t.forwardMs),
      backwardMs: middle((t) => t.backwardMs),
      stepMs: middle((t) => t.stepMs),
      ...{ warmupMs: tenths(warmupMs), runsMs: runsMs.map(tenths) },
      ...{ activationBytes: await stoppable(task.activationBytes(), signal), peakRssBytes },
      ...{ node: process.version, cpu: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}` },
      ...(trace && { trace }),
    };
    output.document(report);
    for (const line of showReport(report)) output.text(line);
  } finally {
    task.dispose();
  }
}

function showReport(report: TrainingReport): string[] {
  const { title, size, batch, withCp, device, threads, trace } = report;
  const workers = threads === null ? '' : `, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  const facts = [
    ['iteration', `${showDuration(report.medianMs)} (median of ${report.runsMs.length})`],
    ['forward', showDuration(report.forwardMs)],
    ['backward', showDuration(report.backwardMs)],
    ['optimiser', showDuration(report.stepMs)],
    ['warm-up', showDuration(report.warmupMs)],
    ['activations', showBytes(report.activationBytes)],
    ['peak memory', showBytes(report.peakRssBytes)],
    ['machine', `${report.cpu}, Node ${report.node}`],
  ];
  const head = `${title}, training, batch ${batch} of ${showSize(size)}${withCp ? ', with checkpoints' : ''} on ${device}${workers}`;
  const lines = [head, ...alignColumns(facts, 'll')];
  return trace ? [...lines, '', ...showTraceOfRun(trace)] : lines;
}
