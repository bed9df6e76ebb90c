import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { IIError } from '@ii/tensor';
import { addBench } from './bench.js';
import { addConvert } from './convert.js';
import { addEvaluate } from './evaluate.js';
import { addInfo } from './info.js';
import { addList } from './list.js';
import { addLog } from './log.js';
import { EXIT, Output, type CliStream } from './output.js';
import { Progress } from './progress.js';
import { addSegment } from './segment.js';
import { addSynthesize } from './synthesize.js';
import { addTrain } from './train.js';

export interface MainOptions {
  /** Default: the process's. */
  readonly stdout?: CliStream;
  /** Default: the process's. */
  readonly stderr?: CliStream;
  /** Stops the command. Default: aborted by SIGINT (Ctrl-C) and SIGTERM. */
  readonly signal?: AbortSignal;
}

/**
 * Runs the `ii` command.
 *
 * @param argv arguments without the interpreter's and the script's: `['list', '--json']`.
 * @returns the exit status: 0, 1 when the command failed, 2 when the command line is wrong. Never rejects.
 */
export async function main(argv: readonly string[], options: MainOptions = {}): Promise<number> {
  const { stdout = process.stdout, stderr = process.stderr } = options;
  const output = new Output({ stdout, stderr, json: hasFlag(argv, '--json') });
  const progress = new Progress(stderr, hasFlag(argv, '--quiet'));
  const interrupt = new AbortController();
  const onSignal = (name: string): void => interrupt.abort(new IIError('ERR_ABORTED', `stopped by ${name}`));
  // Once each: a second Ctrl-C ends the process at once.
  if (!options.signal) for (const name of ['SIGINT', 'SIGTERM']) process.once(name, onSignal);
  // A reader that has seen enough, as `head`, closes the pipe; that is no failure.
  const onPipe = (): void => undefined;
  stdout.on('error', onPipe);
  try {
    const program = createProgram(output);
    const session = { output, progress, signal: options.signal ?? interrupt.signal };
    addList(program, output);
    addInfo(program, session);
    addSegment(program, session);
    addEvaluate(program, session);
    addTrain(program, session);
    addLog(program, session);
    addConvert(program, session);
    addBench(program, session);
    addSynthesize(program, session);
    await program.parseAsync(argv, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    progress.clear();
    return output.error(error);
  } finally {
    progress.clear();
    await output.flush();
    stdout.off('error', onPipe);
    for (const name of ['SIGINT', 'SIGTERM']) process.off(name, onSignal);
  }
}

function createProgram(output: Output): Command {
  const program = new Command('ii')
    .description('Semantic segmentation with UPerNet and InternImage on ADE20K.')
    .version(packageVersion(), '-V, --version')
    .option('--json', 'print one JSON document on stdout instead of text')
    .option('--quiet', 'show no progress')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.raw('stdout', text),
      writeErr: (text) => output.raw('stderr', text),
      // Errors are reported in one place, when they arrive there.
      outputError: () => undefined,
    });
  program.helpCommand('help [command]', 'show the help of a command');
  return program;
}

/** Whether a flag stands before `--`; read apart from the parser, whose own errors depend on it. */
function hasFlag(argv: readonly string[], flag: string): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? argv.length : end).includes(flag);
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
