/**
 * Timed runs in a process of their own: all at once where it was started by hand, or one whenever the process that forked
 * it asks, so that several processes run by turns. What disturbs the machine lasts for seconds, and so weighs on all of
 * them.
 */
import { fork } from 'node:child_process';
import { on, once } from 'node:events';
import { median } from './summary.mjs';

/**
 * Times `run` after one run, or `warmUp`, to warm up.
 *
 * @param {{ run: () => Promise<unknown>, warmUp?: () => Promise<unknown>, runs: number }} work
 */
export async function timeRuns({ run, warmUp = run, runs }) {
  const warmupMs = await milliseconds(warmUp);
  const runsMs = [];
  if (process.send) {
    const asked = on(process, 'message');
    process.send('ready');
    for await (const [what] of asked) {
      if (what !== 'run') break;
      runsMs.push(await milliseconds(run));
      process.send('done');
    }
  } else {
    while (runsMs.length < runs) runsMs.push(await milliseconds(run));
  }
  return { warmupMs, runsMs, medianMs: median(runsMs), minMs: Math.min(...runsMs) };
}

/** Gives the result of the process to whoever started it, as a line of JSON or as a message. @param {object} result */
export async function tell(result) {
  if (process.send) await new Promise((resolve) => process.send?.(result, resolve));
  else process.stdout.write(`${JSON.stringify(result)}\n`);
}

/** The other side: a process that runs when it is asked to. */
export class Contestant {
  #child;
  #ended;

  /** @param {string} node the binary. @param {string} script @param {readonly string[]} args */
  constructor(node, script, args) {
    this.#child = fork(script, args, { execPath: node, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    let complaints = '';
    this.#child.stderr?.on('data', (text) => (complaints += text));
    this.#ended = once(this.#child, 'close').then(([code]) => {
      throw new Error(`${script} ${args.join(' ')} ended with code ${code}: ${complaints}`);
    });
    // It also ends after its result; whoever waits for an answer is told.
    this.#ended.catch(() => {});
  }

  /** Resolves when it is loaded and warm. */
  ready() {
    return this.#answer();
  }

  /** One run. */
  run() {
    return this.#ask('run');
  }

  /** Its result, after which the process is gone. */
  async finish() {
    const result = await this.#ask('finish');
    await this.#ended.catch(() => {});
    return result;
  }

  /** @param {string} what */
  #ask(what) {
    const answer = this.#answer();
    this.#child.send(what);
    return answer;
  }

  async #answer() {
    const [message] = await Promise.race([once(this.#child, 'message'), this.#ended]);
    return message;
  }
}

/** @param {() => Promise<unknown>} work */
async function milliseconds(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
