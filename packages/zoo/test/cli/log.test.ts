import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError } from '@ii/tensor';
import { logUpTo, parseLog, type TrainLine } from '../../src/training/log.js';
import { ii } from '../support.js';

let folder: string;
const at = (name: string): string => join(folder, name);

/** As mmcv writes them. */
const HEADER = '{"env_info": "sys.platform: linux", "seed": 0, "exp_name": "upernet.py", "mmseg_version": "0.27.0"}';
const lineOf = (iter: number, loss: number): string =>
  `{"mode": "train", "epoch": 1, "iter": ${iter}, "lr": 1e-05, "memory": 8192, "data_time": 0.01, "decode.loss_ce": ${loss / 2}, "decode.acc_seg": 10.5, "aux.loss_ce": ${loss / 2}, "aux.acc_seg": 9.5, "loss": ${loss}, "time": 0.25}`;
const VALIDATION =
  '{"mode": "val", "epoch": 1, "iter": 100, "lr": 1e-05, "aAcc": 0.7012, "mIoU": 0.2511, "mAcc": 0.3333, "IoU.wall": 0.5}';
const LOG = [HEADER, lineOf(50, 4), lineOf(100, 3), VALIDATION, lineOf(150, 2)].map((line) => `${line}\n`).join('');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ii-log-'));
  await writeFile(at('one.log.json'), LOG);
  await mkdir(at('second-run'));
  await writeFile(at('second-run/train.log.json'), LOG);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a log of mmcv', () => {
  it('is read by its lines, the last of which may be cut', () => {
    const { train, validation } = parseLog(LOG + lineOf(200, 1).slice(0, 40));
    expect(train.map(({ iter, loss }) => [iter, loss])).toEqual([
      [50, 4],
      [100, 3],
      [150, 2],
    ]);
    const first: Partial<TrainLine> = { 'decode.acc_seg': 10.5, 'aux.loss_ce': 2, memory: 8192 };
    expect(train[0]).toMatchObject(first);
    expect(validation).toHaveLength(1);
    expect(validation[0]).toMatchObject({ iter: 100, mIoU: 0.2511, aAcc: 0.7012, mAcc: 0.3333 });
  });

  it('is cut behind a checkpoint to go on, without an evaluation that is made again', () => {
    const iterations = (text: string): number[] =>
      text.split('\n').flatMap((line) => (/"iter": (\d+)/.exec(line) ?? []).slice(1).map(Number));
    expect(iterations(logUpTo(LOG, { iteration: 100, evaluationDue: false }))).toEqual([50, 100, 100]);
    expect(iterations(logUpTo(LOG, { iteration: 100, evaluationDue: true }))).toEqual([50, 100]);
    expect(logUpTo(LOG, { iteration: 0, evaluationDue: false })).toBe(`${HEADER}\n`);
  });

  it('is told from other files', () => {
    expect(() => parseLog('{"a": 1}\n', 'x.json')).toThrow(
      `'x.json' is not a training log: it has no line with "mode"`,
    );
    expect(() => parseLog('{"mode": "train"}\nnot json\n{}\n', 'x.json')).toThrow(FormatError);
    expect(() => parseLog('{"mode": "train"}\nnot json\n{}\n', 'x.json')).toThrow(
      "line 2 of 'x.json' is not JSON: not json",
    );
  });
});

describe('ii log plot', () => {
  it('draws a line for each log and figure', async () => {
    const { status, stdout, stderr } = await ii(
      'log',
      'plot',
      at('one.log.json'),
      at('second-run/train.log.json'),
      '-o',
      at('curves.svg'),
      '--json',
    );
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      logs: [
        { name: 'one', lines: 3, evaluations: 1, lastLoss: 2, bestMIoU: 0.2511 },
        { name: 'second-run', lines: 3, evaluations: 1 },
      ],
    });
    const svg = await readFile(at('curves.svg'), 'utf8');
    expect(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg" width="800" height="960">')).toBe(true);
    // Loss, learning rate and mIoU, each with a line and a name of each log.
    const lines = [...svg.matchAll(/<g[^>]*aria-label="line"[^>]*>(.*?)<\/g>/gs)].map(
      ([, body]) => body!.match(/<path /g)!.length,
    );
    expect(lines).toEqual([2, 2, 2]);
    expect(svg.match(/>second-run<\/text>/g)).toHaveLength(3);
  });

  it('refuses what it cannot read or write', async () => {
    expect((await ii('log', 'plot', at('none'), '-o', at('a.svg'))).stderr).toContain(
      `cannot open the log '${at('none')}': there is no such file`,
    );
    const png = await ii('log', 'plot', at('one.log.json'), '-o', at('a.png'));
    expect([png.status, png.stderr]).toEqual([
      2,
      `error: --output ${at('a.png')}: expected a file name that ends in .svg\n`,
    ]);
  });
});
