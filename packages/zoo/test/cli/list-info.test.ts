import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UperNet } from '@ii/upernet';
import { demoModel } from '../../src/index.js';
import { checkpointOf, ii, tinyConfig } from '../support.js';

interface Counts {
  params: number;
  flops: Record<string, number>;
}

const counts: Record<string, Counts> = JSON.parse(
  await readFile(new URL('../fixtures/zoo/counts.json', import.meta.url), 'utf8'),
);
const pth = (name: string): string => fileURLToPath(new URL(`../fixtures/pth/${name}`, import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ii-info-'));
  await writeFile(join(folder, 'tiny.json'), JSON.stringify(tinyConfig));
  await writeFile(join(folder, 'tiny.safetensors'), await checkpointOf(tinyConfig, 1));
});
afterAll(() => rm(folder, { recursive: true }));

describe('ii list', () => {
  it('prints one JSON array with exact counts', async () => {
    const { status, stdout, stderr } = await ii('list', '--json');
    expect(status).toBe(0);
    expect(stderr).toBe('');
    const rows = JSON.parse(stdout) as { name: string; params: number; flops: number; flopsInput: number[] }[];
    expect(rows).toHaveLength(6);
    rows.forEach((row, i) => {
      const [letter, { params, flops }] = Object.entries(counts)[i]!;
      expect(row.name).toBe(`internimage-${letter.toLowerCase()}`);
      expect([row.params, row.flops]).toEqual([params, flops[row.flopsInput.join('x')]]);
    });
    expect(rows[5]).toMatchObject({
      flopsInput: [896, 896],
      resolution: [896, 896],
      mIoU: { ss: 59.9, ms: 60.3 },
      trainSpeed: 0.94,
      trainTime: '2d (2n)',
      config: expect.stringMatching(/^https:.*upernet_internimage_h_896_160k_ade20k\.py$/),
      checkpoint: expect.stringMatching(/^https:.*upernet_internimage_h_896_160k_ade20k\.pth$/),
      log: expect.stringMatching(/^https:.*upernet_internimage_h_896_160k_ade20k\.log\.json$/),
    });
  });

  it('prints an aligned table without colours where no terminal is', async () => {
    const { status, stdout } = await ii('list');
    expect(status).toBe(0);
    expect(stdout).not.toContain('\u001B');
    const lines = stdout.split('\n');
    const row = lines.find((line) => line.startsWith('internimage-l '))!;
    expect(row.replaceAll(/ +/g, ' ')).toBe(
      'internimage-l 640×640 53.9 54.1 256M 255,600,606 2526G 2,526,258,201,600 640×2560 0.42 19h',
    );
    expect(row.indexOf('19h')).toBe(lines[0]!.indexOf('training'));
    expect(stdout).toMatch(/demo: a small demonstration model, trained on drawings/);
  });

  it('takes the flag before the command, too', async () => {
    expect((await ii('--json', 'list')).stdout).toBe((await ii('list', '--json')).stdout);
  });
});

describe('ii info', () => {
  it('tells a model', async () => {
    const { status, stdout } = await ii('info', 'T', '--size', '512x512', '--json');
    expect(status).toBe(0);
    const info = JSON.parse(stdout) as { tensors: unknown[] };
    expect(info).toMatchObject({
      name: 'internimage-t',
      params: 59077148,
      flops: 236130919424,
      size: [512, 512],
      testScale: [2048, 512],
      config: {
        backbone: { channels: 64, depths: [4, 4, 18, 4], offsetScale: 1, postNorm: false, dwKernelSize: null },
        decodeHead: { channels: 512, poolScales: [1, 2, 3, 6] },
        auxiliaryHead: { inIndex: 2, channels: 256, numConvs: 1, lossWeight: 0.4 },
        numClasses: 150,
      },
    });
    // T has 26 blocks more, of 22 tensors each.
    expect(info.tensors).toHaveLength([...new UperNet(tinyConfig).namedState()].length + 26 * 22);
  });

  it('prints text', async () => {
    const { status, stdout } = await ii('info', 'internimage-h');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^UPerNet InternImage-H\n#param +1,120,338,396 {2}\(published: 1\.12B\)\n/);
    expect(stdout).toMatch(/FLOPs +3,566,436,654,080 for an input of 896×896/);
    expect(stdout).toMatch(/backbone\.level2PostNormBlockIds +\[5,11,17,23,29\]/);
    expect(stdout).toMatch(/backbone\.levels\.3 +\d+ +[\d,]+/);
  });

  it('says what the demonstration model is', async () => {
    expect((await ii('info', 'demo')).stdout).toMatch(/note +a small demonstration model, trained on drawings/);
  });

  it('does not claim published results or the demo’s note for a file of the same shapes', async () => {
    const path = join(folder, 'demo.safetensors');
    await writeFile(path, await checkpointOf(demoModel.config, 1));
    const { stdout } = await ii('info', path, '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'demo',
      published: null,
      files: null,
      note: null,
      testScale: demoModel.testScale,
    });
    expect((await ii('info', path)).stdout).toMatch(/^demo\.safetensors: the shapes of demonstration model\n/);
  });

  it('tells a checkpoint with a configuration', async () => {
    const { status, stdout } = await ii(
      ...['info', join(folder, 'tiny.safetensors'), '--config', join(folder, 'tiny.json'), '--json'],
    );
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      name: null,
      format: 'safetensors',
      params: new UperNet(tinyConfig).parameterCount(),
      size: [512, 2048],
      fit: { missing: [], unexpected: [], misshapen: [] },
    });
  });

  it('shows how a checkpoint and its configuration differ', async () => {
    const path = join(folder, 'changed.safetensors');
    const change = (tensors: Map<string, unknown>): void => {
      tensors.delete('decode_head.fpn_convs.1.bn.weight');
    };
    await writeFile(path, await checkpointOf(tinyConfig, 1, { change }));
    const { stdout } = await ii('info', path, '--config', join(folder, 'tiny.json'));
    expect(stdout).toMatch(/fit +1 missing \(decode_head\.fpn_convs\.1\.bn\.weight\)/);
  });

  it('says where each inferred value comes from', async () => {
    const path = join(folder, 'told.safetensors');
    const metadata = { config: "backbone=dict(type='InternImage', offset_scale=2.0)" };
    await writeFile(path, await checkpointOf(tinyConfig, 1, { metadata }));
    const { status, stdout } = await ii('info', path);
    expect(status).toBe(0);
    expect(stdout).toMatch(/backbone\.offsetScale +2 +from meta\.config/);
    expect(stdout).toMatch(/backbone\.depths +\[1,1,1,1\] +from shapes/);
    expect(stdout).toMatch(/fit +every tensor is there/);
  });

  it.each([
    [['info', 'internimage-q'], 2, /unknown model 'internimage-q' \(did you mean internimage-/],
    [['info', 'T', '--size', '512'], 2, /option '--size <HxW>' argument '512' is invalid\. Expected HEIGHTxWIDTH/],
    [['info', 'T', '--size', '0x512'], 2, /argument '0x512' is invalid/],
    [['info', 'T', '--config', 'x.json'], 2, /--config is for checkpoints/],
    [['info'], 2, /missing required argument/],
    [['info', 'no/such.pth'], 1, /cannot open 'no\/such\.pth': there is no such file/],
    [['info', pth('not_a_checkpoint.pth')], 1, /'not_a_checkpoint\.pth' is not a checkpoint/],
    [['info', pth('evil_os_system.pth')], 1, /'evil_os_system\.pth' cannot be loaded/],
    [['info', pth('plain_dict.pth')], 1, /is not an InternImage segmentation model: it looks like something else/],
  ])('%j: exit status %i', async (argv, expected, message) => {
    const text = await ii(...argv);
    expect(text.stderr).toMatch(message);
    expect(text.stdout).toBe('');
    expect(text.status).toBe(expected);
    const json = await ii(...argv, '--json');
    expect(json.status).toBe(expected);
    expect(json.stderr).toBe('');
    const { error } = JSON.parse(json.stdout) as { error: { code: string; message: string } };
    expect(error.message).toMatch(message);
    expect(error.code).toMatch(/^ERR_[A-Z_]+$/);
  });

  it('asks for what no one can tell', async () => {
    const { status, stderr } = await ii('info', join(folder, 'tiny.safetensors'));
    expect(status).toBe(1);
    expect(stderr).toMatch(/cannot tell offsetScale of 'tiny\.safetensors': .* pass --config/);
  });
});

describe('ii', () => {
  it.each([
    [['--nonsense'], /unknown option '--nonsense'/],
    [['list', '--jsn'], /unknown option '--jsn'\n\(Did you mean --json\?\)/],
    [['lst'], /unknown command 'lst'\n\(Did you mean list\?\)/],
    [['list', 'extra'], /too many arguments/],
    [[], /name a command/],
  ])('%j is bad usage', async (argv, message) => {
    const { status, stderr, stdout } = await ii(...argv);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    const json = await ii(...argv, '--json');
    expect(json.status).toBe(2);
    expect(JSON.parse(json.stdout)).toEqual({ error: { code: 'ERR_USAGE', message: expect.stringMatching(message) } });
  });

  it('shows help and version', async () => {
    const help = await ii('--help');
    expect([help.status, help.stderr]).toEqual([0, '']);
    for (const command of ['list', 'info', 'segment', 'convert']) expect(help.stdout).toContain(`\n  ${command}`);
    expect((await ii('segment', '--help')).stdout).toMatch(/--save-logits/);
    expect((await ii('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
