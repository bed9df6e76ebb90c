/** What the command prints: results on stdout, as text or as one JSON document; everything else on stderr. */
import { CommanderError } from 'commander';
import { IIError } from '@ii/tensor';
import { UnknownModelError } from '../registry.js';

/** A stream as `process.stdout` is one; tests give their own. */
export type CliStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** The command line itself is wrong. */
export class UsageError extends IIError {
  constructor(message: string) {
    super('ERR_USAGE', message);
  }
}

/** Exit statuses: `usage` for a command line that cannot be run, `failed` for one that was run and failed. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

const STYLES = { bold: [1, 22], dim: [2, 22], red: [31, 39], yellow: [33, 39] } as const;

export interface OutputOptions {
  readonly stdout: CliStream;
  readonly stderr: CliStream;
  /** One JSON document on stdout instead of text. */
  readonly json: boolean;
}

export class Output {
  readonly json: boolean;
  readonly stderr: CliStream;
  readonly #stdout: CliStream;

  constructor({ stdout, stderr, json }: OutputOptions) {
    this.#stdout = stdout;
    this.stderr = stderr;
    this.json = json;
  }

  /** Text for a person, on stdout; nothing with `--json`. */
  text(lines: string): void {
    if (!this.json) this.#stdout.write(`${lines}\n`);
  }

  /** The result for programs: the only JSON document of a run; nothing without `--json`. */
  document(data: unknown): void {
    if (this.json) this.#stdout.write(`${JSON.stringify(data, null, 2)}\n`);
  }

  /** What a person must not overlook, on stderr. */
  warn(message: string): void {
    this.stderr.write(`${paint(this.stderr, 'yellow', 'warning:')} ${message}\n`);
  }

  /** What the parser of the command line prints by itself: help and version on stdout, help after an error on stderr. */
  raw(target: 'stdout' | 'stderr', text: string): void {
    if (target === 'stdout') this.#stdout.write(text);
    else if (!this.json) this.stderr.write(text);
  }

  /** Reports a failure and says which exit status it has. */
  error(error: unknown): number {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const { code, message, status } = describeError(error);
    if (this.json) this.document({ error: { code, message } });
    else this.stderr.write(`${paint(this.stderr, 'red', 'error:')} ${message}\n`);
    return status;
  }

  /** Styles text for stdout if it is a terminal. */
  style(style: keyof typeof STYLES, text: string): string {
    return paint(this.#stdout, style, text);
  }

  /** Resolves when everything has been handed to the system, so that a process that ends now loses nothing. */
  async flush(): Promise<void> {
    await Promise.all([this.#stdout, this.stderr].map((stream) => new Promise((done) => stream.write('', done))));
  }
}

function paint(stream: CliStream, style: keyof typeof STYLES, text: string): string {
  if (!stream.isTTY || process.env['NO_COLOR']) return text;
  const [on, off] = STYLES[style];
  return `\u001B[${on}m${text}\u001B[${off}m`;
}

function describeError(error: unknown): { code: string; message: string; status: number } {
  if (error instanceof CommanderError) {
    const message = error.code === 'commander.help' ? 'name a command (ii --help lists them)' : error.message;
    return { code: 'ERR_USAGE', message: message.replace(/^error: /, ''), status: EXIT.usage };
  }
  if (error instanceof IIError) {
    const usage = error instanceof UsageError || error instanceof UnknownModelError;
    return { code: error.code, message: error.message, status: usage ? EXIT.usage : EXIT.failed };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'ERR_INTERNAL', message: `this is a defect of ii, please report it: ${message}`, status: EXIT.failed };
}
