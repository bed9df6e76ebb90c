/** `ii train` as a person meets it; the runner's own tests are in `test/training`. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ii, iiWith } from '../support.js';
import { tinyModel } from '../training/support.js';

let folder: string;
const at = (name: string): string => join(folder, name);

const config = {
  model: tinyModel,
  recipe: {
    ...{ iterations: 8, effectiveBatch: 2, crop: [32, 32], scale: [64, 32], warmupIterations: 2 },
    ...{ logEvery: 2, checkpointEvery: 2, evaluateEvery: 4 },
  },
};

const args = (work: string, ...more: readonly string[]): string[] => [
  ...['train', '--config', at('config.json'), '--data', at('data'), '--work-dir', at(work)],
  ...['--device', 'wasm', '--threads', '1', '--workers', '0', ...more],
];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ii-train-'));
  await writeFile(at('config.json'), JSON.stringify(config));
  const drawn = await ii('synthesize', '--out', at('data'), '--count', '6', '--validation', '2', '--size', '40x48');
  expect(drawn.status, drawn.stderr).toBe(0);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** What must be equal between runs: the weights, moments and progress, and the best weights. */
async function outcome(work: string): Promise<string[]> {
  const latest = await readFile(at(`${work}/latest.safetensors`));
  const best = await readFile(at(`${work}/best.safetensors`));
  return [latest, best].map((bytes) => bytes.toString('base64'));
}

/** Runs the built command in a process of its own, to be killed. */
function start(work: string, ...more: readonly string[]): { kill(): void; ended: Promise<number | null> } {
  const bin = fileURLToPath(new URL('../../bin/ii.js', import.meta.url));
  const child = spawn(process.execPath, [bin, ...args(work, '--quiet', ...more)], { stdio: 'ignore' });
  const ended = new Promise<number | null>((resolve) => child.once('exit', (status) => resolve(status)));
  return { kill: () => child.kill('SIGKILL'), ended };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('ii train', () => {
  it('trains, and says what it did', async () => {
    const { status, stdout, stderr } = await ii(...args('whole', '--json'));
    expect(status, stderr).toBe(0);
    const document = JSON.parse(stdout) as Record<string, unknown>;
    expect(document).toMatchObject({
      iterations: 8,
      device: 'wasm',
      files: {
        latest: at('whole/latest.safetensors'),
        best: at('whole/best.safetensors'),
        log: at('whole/train.log.json'),
      },
    });
    expect(stderr).toMatch(
      /iteration 8\/8 · loss \d\.\d{4} · lr \d\.\d\de-\d · [\d.]+ s\/iter · 0 s left · \d+\.\d MB/,
    );
    expect(stderr).toMatch(/iteration 8 · mIoU \d+\.\d\d % · aAcc \d+\.\d\d % · /);
    expect((await readdir(at('whole'))).sort()).toEqual(['best.safetensors', 'latest.safetensors', 'train.log.json']);
    const info = await ii('info', at('whole/best.safetensors'), '--json');
    expect(info.status, info.stderr).toBe(0);
  });

  it('killed at any moment and resumed, ends as if nothing had happened', async () => {
    const work = (): string => at('killed/latest.safetensors');
    let kills = 0;
    for (let life = 0; ; life++) {
      const size = existsSync(work()) ? (await readFile(work())).toString('base64') : '';
      const { kill, ended } = start('killed', '--resume');
      let status: number | null | undefined;
      void ended.then((value) => (status = value));
      // A different moment in each life: at once, or some time behind a new checkpoint.
      await until(
        async () =>
          status !== undefined || (existsSync(work()) && (await readFile(work())).toString('base64') !== size),
      );
      await new Promise((resolve) => setTimeout(resolve, 37 * life));
      if (status === undefined) {
        kill();
        kills++;
      }
      if ((await ended) === 0) break;
    }
    expect(kills).toBeGreaterThan(0);
    const log = (text: string): unknown[] =>
      text
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => ({ ...(JSON.parse(line) as object), time: 0, data_time: 0, memory: 0 }));
    expect(log(await readFile(at('killed/train.log.json'), 'utf8'))).toEqual(
      log(await readFile(at('whole/train.log.json'), 'utf8')),
    );
    const [latest, best] = await outcome('killed');
    const [wholeLatest, wholeBest] = await outcome('whole');
    expect(best).toBe(wholeBest);
    expect(latest).toBe(wholeLatest);
    // Nothing of a checkpoint that was being written is left.
    expect((await readdir(at('killed'))).sort()).toEqual(['best.safetensors', 'latest.safetensors', 'train.log.json']);
  });

  it('leaves a work directory alone that another process trains in', async () => {
    await mkdir(at('taken'));
    // The parent of this process is at work for as long as this test.
    await writeFile(at('taken/.in-use'), `${process.ppid} ${hostname()}`);
    const { status, stderr } = await ii(...args('taken'));
    expect(status).toBe(1);
    expect(stderr).toContain(`process ${process.ppid} on ${hostname()} works in ${at('taken')}`);
    expect(await readdir(at('taken'))).toEqual(['.in-use']);
    await writeFile(at('taken/.in-use'), '7 another-machine');
    expect((await ii(...args('taken'))).stderr).toContain('process 7 on another-machine works in');
  });

  it('stops by Ctrl-C with a checkpoint that --resume goes on from', async () => {
    const controller = new AbortController();
    const onStderr = (): void => controller.abort(new Error('stopped by SIGINT'));
    const { status, stderr } = await iiWith({ signal: controller.signal, onStderr }, ...args('stopped'));
    expect(status).toBe(1);
    expect(stderr).toContain(
      `stopped: the run is kept in ${at('stopped/latest.safetensors')}; --resume goes on with it`,
    );
    const rest = await ii(...args('stopped', '--resume'));
    expect(rest.status, rest.stderr).toBe(0);
    expect(rest.stderr).toMatch(/going on behind iteration [1-8]/);
    expect((await outcome('stopped'))[1]).toBe((await outcome('whole'))[1]);
  });

  it('refuses bad input in words', async () => {
    const again = await ii(...args('whole'));
    expect(again.stderr).toBe(
      `error: ${at('whole/latest.safetensors')} holds a run of 8 iterations: go on with it (--resume), or give another work directory\n`,
    );
    await writeFile(
      at('other.json'),
      JSON.stringify({ ...config, model: { ...tinyModel, decodeHead: { channels: 16 } } }),
    );
    const other = await ii(...args('whole', '--resume', '--config', at('other.json')));
    expect(other.stderr).toContain('is of another run: model.decodeHead.channels is 8 there and 16 here');
    await writeFile(at('file'), '');
    const unwritable = await ii(...args('file/inside'));
    expect(unwritable.status).toBe(1);
    expect(unwritable.stderr).toContain(`cannot make the work directory ${at('file/inside')}`);
    // Where no folder can be made, but no permission is missing either.
    if (process.platform === 'linux') {
      const nowhere = await ii(...args('whole', '--work-dir', '/proc/ii/run'));
      expect(nowhere.status).toBe(1);
      expect(nowhere.stderr).toContain('cannot make the work directory /proc/ii/run');
    }
    await writeFile(at('three.json'), JSON.stringify({ ...config, classNames: ['a', 'b', 'c'] }));
    const unlabelled = await ii(...args('three', '--config', at('three.json')));
    expect(unlabelled.status).toBe(2);
    expect(unlabelled.stderr).toContain('this model has 3 classes, so the annotations are not ADE20K');
    await writeFile(
      at('three.json'),
      JSON.stringify({ ...config, classNames: ['a', 'b', 'c'], data: { labels: 'ade20k' } }),
    );
    const outside = await ii(...args('three', '--config', at('three.json')));
    expect(outside.stderr).toMatch(
      /error: .*ADE_train_\d+\.png has labels? \d+ \(\d+ pixels?\).*expected 1 to 3, or 0 where unlabelled/,
    );
    const missing = await ii('train', '--data', at('data'), '--work-dir', at('x'));
    expect([missing.status, missing.stderr]).toEqual([2, "error: required option '--config <file>' not specified\n"]);
  });
});
