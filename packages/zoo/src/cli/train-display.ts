/** What `ii train` shows to a person while it runs. */
import type { IterationEvent, TrainingEvent } from '../training/index.js';
import { percent, showTime } from './evaluate-text.js';
import type { Output } from './output.js';
import type { Progress } from './progress.js';
import { showBytes } from './table.js';

/** Seconds between two lines where no bar can be drawn. */
const LINE_EVERY = 10;

/** Weight of the newest iteration in the loss and the pace that are shown. */
const SMOOTHING = 0.1;

/** Shows progress on stderr: a bar on a terminal, else a line every few seconds. */
export class TrainingDisplay {
  readonly #output: Output;
  readonly #progress: Progress;
  readonly #lines: boolean;
  #loss: number | null = null;
  #pace: number | null = null;
  #last = -Infinity;

  /** @param quiet shows nothing but warnings. */
  constructor(output: Output, progress: Progress, quiet: boolean) {
    this.#output = output;
    this.#progress = progress;
    this.#lines = !quiet && output.stderr.isTTY !== true;
  }

  show(event: TrainingEvent): void {
    switch (event.type) {
      case 'start':
        for (const message of event.warnings) this.#warn(message);
        if (event.resumed) this.#line(`going on behind iteration ${event.iteration}`);
        return;
      case 'warning':
        return this.#warn(event.message);
      case 'iteration':
        return this.#iteration(event);
      case 'evaluating':
        return this.#progress.show(
          `evaluating ${event.done}/${event.total} · ${showTime(event.remainingSeconds)} left`,
          event.done,
          event.total,
        );
      case 'evaluation': {
        this.#progress.clear();
        const { mIoU, aAcc } = event.report.metrics;
        const best = event.improved ? 'the best so far' : `best ${percent(event.best?.mIoU ?? null)}`;
        return this.#line(`iteration ${event.iteration} · mIoU ${percent(mIoU)} · aAcc ${percent(aAcc)} · ${best}`);
      }
      case 'checkpoint':
    }
  }

  #iteration({ iteration, iterations, figures, lr, remainingSeconds, memory }: IterationEvent): void {
    this.#loss = smoothed(this.#loss, figures.loss);
    this.#pace = smoothed(this.#pace, figures.seconds);
    const facts = [
      `loss ${this.#loss.toFixed(4)}`,
      `lr ${lr.toExponential(2)}`,
      `${this.#pace.toPrecision(3)} s/iter`,
      `${showTime(remainingSeconds)} left`,
      showBytes(memory),
    ].join(' · ');
    this.#progress.show(`${iteration}/${iterations} · ${facts}`, iteration, iterations);
    const now = performance.now() / 1000;
    if (iteration < iterations && now - this.#last < LINE_EVERY) return;
    this.#last = now;
    this.#line(`iteration ${iteration}/${iterations} · ${facts}`);
  }

  #warn(message: string): void {
    this.#progress.clear();
    this.#output.warn(message);
  }

  #line(text: string): void {
    if (this.#lines) this.#output.stderr.write(`${text}\n`);
  }
}

const smoothed = (before: number | null, value: number): number =>
  before === null ? value : before + SMOOTHING * (value - before);
