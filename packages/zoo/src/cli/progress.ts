import { SingleBar } from 'cli-progress';
import type { CliStream } from './output.js';

/** One bar at a time on stderr; nothing is drawn where no person watches. */
export class Progress {
  readonly #stream: CliStream;
  readonly #visible: boolean;
  #bar: SingleBar | null = null;

  /** @param quiet draws nothing even on a terminal. */
  constructor(stream: CliStream, quiet: boolean) {
    this.#stream = stream;
    this.#visible = !quiet && stream.isTTY === true;
  }

  /** Shows `done` of `total` steps of `task`; a new task begins a new bar. */
  show(task: string, done: number, total: number): void {
    if (!this.#visible) return;
    if (!this.#bar) {
      this.#bar = new SingleBar({
        stream: this.#stream,
        format: '{task} {bar} {percentage} %',
        barCompleteChar: '█',
        barIncompleteChar: '░',
        barsize: 24,
        hideCursor: true,
        clearOnComplete: true,
        linewrap: false,
        // Ctrl-C is handled in one place, which stops the bar.
        gracefulExit: false,
      });
      this.#bar.start(total, done, { task });
    }
    this.#bar.setTotal(total);
    this.#bar.update(done, { task });
  }

  /** Takes the bar away, so that text can be printed. */
  clear(): void {
    this.#bar?.stop();
    this.#bar = null;
  }
}
