/** The log of a training run: one JSON object on each line, as mmcv's `TextLoggerHook` writes `.log.json` files. */
import { FormatError } from '@ii/tensor';

/** The first line: what the run is. */
export interface LogHeader {
  readonly env_info: string;
  readonly seed: number;
  readonly exp_name: string;
  /** The plan as JSON text. */
  readonly config: string;
}

/** Means over the iterations since the line before. */
export interface TrainLine {
  readonly mode: 'train';
  /** Times that the data set was begun, from 1. */
  readonly epoch: number;
  /** Iterations done. */
  readonly iter: number;
  /** Learning rate of the first parameter group in the last of them, as mmcv logs it. */
  readonly lr: number;
  /** Most memory that the device has claimed, in MiB. */
  readonly memory: number;
  /** Seconds of an iteration that were spent waiting for data. */
  readonly data_time: number;
  readonly 'decode.loss_ce': number;
  /** Pixels labelled right by the decode head, in percent of those that are labelled. */
  readonly 'decode.acc_seg': number;
  /** Weighted already. */
  readonly 'aux.loss_ce'?: number;
  readonly 'aux.acc_seg'?: number;
  readonly loss: number;
  /** L2 norm of all gradients together, before clipping. */
  readonly grad_norm: number;
  /** Seconds of an iteration. */
  readonly time: number;
}

/** An evaluation; fractions of 1. */
export interface ValidationLine {
  readonly mode: 'val';
  readonly epoch: number;
  readonly iter: number;
  readonly lr: number;
  readonly aAcc: number | null;
  readonly mIoU: number | null;
  readonly mAcc: number | null;
}

export type LogLine = TrainLine | ValidationLine;

/** The lines of a log, without the header. */
export interface TrainingLog {
  readonly train: readonly TrainLine[];
  readonly validation: readonly ValidationLine[];
}

/**
 * Reads a log of ours or of mmcv's. Lines of another kind (the header) are passed over; so is a last line that was cut
 * by a crash.
 *
 * @param name what messages call the log.
 * @throws FormatError, naming the line, when one is not JSON; when there is no line of a training at all.
 */
export function parseLog(text: string, name = 'log'): TrainingLog {
  const train: TrainLine[] = [];
  const validation: ValidationLine[] = [];
  for (const { value } of logLines(text, name)) {
    if (value['mode'] === 'train') train.push(value as unknown as TrainLine);
    if (value['mode'] === 'val') validation.push(value as unknown as ValidationLine);
  }
  if (train.length + validation.length === 0) {
    throw new FormatError(`'${name}' is not a training log: it has no line with "mode": "train" or "val"`);
  }
  return { train, validation };
}

/**
 * The part of a log up to a checkpoint, to go on behind it.
 *
 * @param at iterations done at the checkpoint, and whether its evaluation has yet to be made.
 * @throws FormatError, naming the line, when one is not JSON.
 */
export function logUpTo(
  text: string,
  { iteration, evaluationDue }: { readonly iteration: number; readonly evaluationDue: boolean },
  name = 'log',
): string {
  const isLater = ({ iter, mode }: Readonly<Record<string, unknown>>): boolean =>
    typeof iter === 'number' && (iter > iteration || (evaluationDue && mode === 'val' && iter === iteration));
  return logLines(text, name)
    .filter(({ value }) => !isLater(value))
    .map(({ line }) => `${line}\n`)
    .join('');
}

function logLines(text: string, name: string): { line: string; value: Readonly<Record<string, unknown>> }[] {
  const lines = text.split('\n');
  const complete = lines.pop()!;
  const parsed = lines.map((line, i) => ({ line, value: parseLine(line, `line ${i + 1} of '${name}'`) }));
  // Without a line break behind it, the last line may be half of one.
  try {
    if (complete.trim() !== '') parsed.push({ line: complete, value: parseLine(complete, '') });
  } catch {
    // It was cut.
  }
  return parsed.filter(({ line }) => line.trim() !== '');
}

function parseLine(line: string, where: string): Readonly<Record<string, unknown>> {
  if (line.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new FormatError(`${where} is not JSON: ${line.slice(0, 60)}`, { cause });
  }
  throw new FormatError(`${where} is no JSON object: ${line.slice(0, 60)}`);
}

/** What one iteration adds to the means of a line. */
export interface IterationFigures {
  readonly decodeLoss: number;
  readonly decodeAccuracy: number;
  readonly auxiliaryLoss: number | null;
  readonly auxiliaryAccuracy: number | null;
  readonly loss: number;
  readonly gradientNorm: number;
  readonly dataSeconds: number;
  readonly seconds: number;
}

/** Sums of figures, as a checkpoint keeps them. */
export interface LogSums {
  readonly count: number;
  readonly sums: Readonly<Record<string, number>>;
}

/** Gathers the figures between two lines of the log. */
export class LogBuffer {
  #count: number;
  #sums: Record<string, number>;

  constructor({ count, sums }: LogSums = { count: 0, sums: {} }) {
    this.#count = count;
    this.#sums = { ...sums };
  }

  add(figures: IterationFigures): void {
    this.#count++;
    for (const [key, value] of Object.entries(figures)) {
      if (typeof value === 'number') this.#sums[key] = (this.#sums[key] ?? 0) + value;
    }
  }

  get state(): LogSums {
    return { count: this.#count, sums: { ...this.#sums } };
  }

  /** The line for what was gathered since the last one. */
  line({ epoch, iter, lr, memory }: Pick<TrainLine, 'epoch' | 'iter' | 'lr' | 'memory'>): TrainLine {
    const mean = (key: keyof IterationFigures): number => rounded((this.#sums[key] ?? Number.NaN) / this.#count);
    const line: TrainLine = {
      ...{ mode: 'train', epoch, iter, lr: Number(lr.toPrecision(6)), memory: Math.round(memory) },
      data_time: mean('dataSeconds'),
      'decode.loss_ce': mean('decodeLoss'),
      'decode.acc_seg': mean('decodeAccuracy'),
      ...(this.#sums['auxiliaryLoss'] !== undefined && {
        'aux.loss_ce': mean('auxiliaryLoss'),
        'aux.acc_seg': mean('auxiliaryAccuracy'),
      }),
      loss: mean('loss'),
      grad_norm: mean('gradientNorm'),
      time: mean('seconds'),
    };
    this.#count = 0;
    this.#sums = {};
    return line;
  }
}

/** To five decimals, as mmcv rounds. */
export const rounded = (value: number): number => Math.round(value * 1e5) / 1e5;
