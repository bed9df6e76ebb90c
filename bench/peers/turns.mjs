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
    // It ends, too, when the process that asks is gone.
    const asked = on(process, 'message', { close: ['disconnect'] });
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
  #name;
  #complaints = '';
  /** Its exit code, once it is gone. */
  #ended;

  /** @param {string} node the binary. @param {string} script @param {readonly string[]} args */
  constructor(node, script, args) {
    this.#name = [script, ...args].join(' ');
    this.#child = fork(script, args, { execPath: node, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#child.stderr?.on('data', (text) => (this.#complaints += text));
    this.#ended = once(this.#child, 'close').then(([code]) => code);
  }

  /** Resolves when it is loaded and warm. */
  ready() {
    return this.#answer();
  }

  /** One run. */
  run() {
    return this.#ask('run');
  }

  /** Its result, after which the process is gone. @throws Error when it ends with another code than 0. */
  async finish() {
    const result = await this.#ask('finish');
    const code = await this.#ended;
    if (code !== 0) throw this.#failure(code);
    return result;
  }

  /** @param {string} what */
  #ask(what) {
    const answer = this.#answer();
    this.#child.send(what);
    return answer;
  }

  async #answer() {
    const gone = this.#ended.then((code) => {
      throw this.#failure(code);
    });
    const [message] = await Promise.race([once(this.#child, 'message'), gone]);
    // It also ends after its last answer, when nobody waits for another.
    gone.catch(() => {});
    return message;
  }

  #failure(code) {
    return new Error(`${this.#name} ended with code ${code}: ${this.#complaints}`);
  }
}

/** @param {() => Promise<unknown>} work */
async function milliseconds(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
