import type { Output } from './output.js';
import type { Progress } from './progress.js';

/** What every command works with. */
export interface Session {
  readonly output: Output;
  readonly progress: Progress;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}
