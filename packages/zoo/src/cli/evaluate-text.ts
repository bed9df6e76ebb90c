/** What `ii evaluate` shows to a person. */
import type { EvaluationProgress, EvaluationReport } from '@ii/ade20k';
import type { Output } from './output.js';
import type { Progress } from './progress.js';
import { alignColumns, grouped } from './table.js';

/** Seconds between two lines where no bar can be drawn. */
const LINE_EVERY = 10;

/** `46.12 %`, or a dash where there is no figure. */
export const percent = (share: number | null): string =>
  share === null || Number.isNaN(share) ? '–' : `${(share * 100).toFixed(2)} %`;

/** A duration as a person says it: `45 s`, `12 min`, `3 h 05 min`. */
export function showTime(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** The rate to three digits. */
export const showRate = (perSecond: number): string => `${Number(perSecond.toPrecision(3))} images/s`;

/** Shows progress on stderr: a bar on a terminal, else a line every few seconds, at the start and at the end. */
export class EvaluationDisplay {
  readonly #output: Output;
  readonly #progress: Progress;
  readonly #lines: boolean;
  #last = -Infinity;

  /** @param quiet shows nothing. */
  constructor(output: Output, progress: Progress, quiet: boolean) {
    this.#output = output;
    this.#progress = progress;
    this.#lines = !quiet && output.stderr.isTTY !== true;
  }

  show({ done, total, imagesPerSecond, remainingSeconds, mIoU }: EvaluationProgress): void {
    const facts = `${showRate(imagesPerSecond)} · ${showTime(remainingSeconds)} left · mIoU ${percent(mIoU)}`;
    this.#progress.show(`${done}/${total} · ${facts}`, done, total);
    const now = performance.now() / 1000;
    if (!this.#lines || (done < total && now - this.#last < LINE_EVERY)) return;
    this.#last = now;
    this.#output.stderr.write(`evaluated ${done}/${total} · ${facts}\n`);
  }
}

/** The table of the classes, and the means below it. */
export function showFigures({ images, metrics, perClass }: EvaluationReport, output: Output): string {
  const rows = perClass.map(({ name, iou, acc, pixels }, id) => [
    String(id),
    name,
    percent(iou),
    percent(acc),
    grouped(pixels ?? 0),
  ]);
  const [head, ...lines] = alignColumns([['id', 'class', 'IoU', 'accuracy', 'pixels'], ...rows], 'rlrrr');
  const { mIoU, mAcc, aAcc, mDice } = metrics;
  const means = [
    ['images', grouped(images)],
    ['mIoU', percent(mIoU)],
    ['mAcc', percent(mAcc)],
    ['aAcc', percent(aAcc)],
    ['mDice', percent(mDice)],
  ];
  return [output.style('bold', head!), ...lines, '', ...alignColumns(means, 'lr')].join('\n');
}
