import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decode, encode } from 'fast-png';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesSource, createDevice, readElements, readSafetensors } from '@ii/tensor';
import { createUperNet } from '@ii/upernet';
import { decodeImage } from '../../src/node.js';
import { checkpointOf, ii, iiWith, tinyConfig } from '../support.js';

const sample = fileURLToPath(
  new URL('../../../ade20k/test/fixtures/ade20k-sample/ADE_val_00000003.jpg', import.meta.url),
);
const FAST = ['--scale', '64x32', '--device', 'reference'];

interface Report {
  image: string;
  size: number[];
  inputSize: number[];
  model: string | null;
  weights: object;
  warning: string | null;
  device: string;
  selection: string;
  classes: { id: number; name: string; share: number; pixels: number }[];
  outputs: { overlay: string; labels: string | null; logits: string | null };
  timings: Record<string, number>;
}

let folder: string;
const at = (name: string): string => join(folder, name);
const MODEL = (): string[] => ['--checkpoint', at('tiny.safetensors'), '--config', at('tiny.json'), ...FAST];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ii-segment-'));
  await writeFile(at('tiny.json'), JSON.stringify(tinyConfig));
  await writeFile(at('tiny.safetensors'), await checkpointOf(tinyConfig, 7));
  await sharp(sample).resize(48, 36).jpeg().toFile(at('small.jpg'));
  await sharp(sample).resize(32, 40).png().toFile(at('tall.png'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('ii segment', () => {
  it('writes overlay, labels and logits, and reports them', async () => {
    const outputs = { overlay: at('o.png'), labels: at('l.png'), logits: at('x.safetensors') };
    const { status, stdout, stderr } = await ii(
      ...['segment', at('small.jpg'), ...MODEL(), '-o', outputs.overlay, '--labels', outputs.labels],
      ...['--save-logits', outputs.logits, '--json'],
    );
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const [report, ...more] = JSON.parse(stdout) as Report[];
    expect(more).toEqual([]);
    expect(report).toMatchObject({
      image: at('small.jpg'),
      size: [36, 48],
      inputSize: [32, 64],
      model: null,
      weights: { kind: 'checkpoint', file: at('tiny.safetensors') },
      warning: null,
      device: 'reference',
      outputs,
    });
    expect(report!.selection).toMatch(/reference/);
    expect(Object.values(report!.timings).every((ms) => ms > 0)).toBe(true);

    // The same through the library.
    const device = await createDevice('reference');
    const { tensors } = await readSafetensors(bytesSource(await readFile(at('tiny.safetensors'))));
    const model = await createUperNet(tinyConfig, { device, weights: tensors });
    const expected = await model.segment(await decodeImage(at('small.jpg')), { scale: [64, 32], logits: true });
    const labels = decode(await readFile(outputs.labels));
    expect([labels.height, labels.width, labels.channels, labels.depth]).toEqual([36, 48, 1, 8]);
    expect([...labels.data]).toEqual([...expected.labels.data]);
    const stored = await readSafetensors(bytesSource(await readFile(outputs.logits)));
    expect([...stored.tensors.keys()]).toEqual(['logits']);
    const logits = stored.tensors.get('logits')!;
    expect([logits.dtype, logits.shape]).toEqual(['f32', [1, 8, 16, 150]]);
    expect(await readElements(logits)).toEqual(expected.logits!.data);
    model.dispose();
    device.dispose();

    const counted = new Map<number, number>();
    for (const id of labels.data) counted.set(id, (counted.get(id) ?? 0) + 1);
    expect(new Map(report!.classes.map(({ id, pixels }) => [id, pixels]))).toEqual(counted);
    expect(report!.classes.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
    const picture = await sharp(outputs.overlay).metadata();
    expect([picture.format, picture.channels]).toEqual(['png', 3]);
    expect(picture.width).toBeGreaterThan(48);
  });

  it('prints a text for a person, and puts the overlay beside the photo', async () => {
    const { status, stdout, stderr } = await ii('segment', at('small.jpg'), ...MODEL());
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^\S+small\.jpg\n {2}model +the model of .*tiny\.json, weights: .*tiny\.safetensors\n/);
    expect(stdout).toMatch(/\n {2}input +32×64 \(photo 36×48, height × width\)\n/);
    expect(stdout).toMatch(/\n {2}overlay +\S+small\.overlay\.png\n$/);
    expect(await readdir(folder)).toContain('small.overlay.png');
  });

  it('runs the demonstration model without a model, and says what it is', async () => {
    const argv = ['segment', at('small.jpg'), ...FAST, '-o', at('demo.png')];
    const text = await ii(...argv);
    expect(text.status).toBe(0);
    expect(text.stderr).toBe(
      'warning: this is a demonstration model, trained on drawings: expect little of it on photos\n',
    );
    expect(text.stdout).toMatch(/\n {2}model +demonstration model, weights: trained on drawings, for demonstration\n/);
    const { stdout, stderr } = await ii(...argv, '--json');
    expect(stderr).toBe(text.stderr);
    const [report] = JSON.parse(stdout) as Report[];
    expect(report).toMatchObject({ model: 'demo', weights: { kind: 'demonstration' }, warning: /drawings/ });
  });

  it('says of untrained weights that the labels mean nothing', async () => {
    const argv = [
      'segment',
      at('small.jpg'),
      ...FAST,
      '-o',
      at('demo.png'),
      '--model',
      'demo',
      '--seed',
      '0',
      '--json',
    ];
    const { stdout, stderr } = await ii(...argv);
    expect(stderr).toBe('warning: the weights are untrained (random, seed 0): the labels are meaningless\n');
    const [report] = JSON.parse(stdout) as Report[];
    expect(report).toMatchObject({ model: 'demo', weights: { kind: 'untrained', seed: 0 }, warning: /meaningless/ });
  });

  it('draws the warning into the picture', async () => {
    await ii('segment', at('small.jpg'), ...FAST, '-o', at('warned.png'), '--seed', '7', '--config', at('tiny.json'));
    await ii('segment', at('small.jpg'), ...MODEL(), '-o', at('plain.png'));
    const [warned, plain] = await Promise.all([sharp(at('warned.png')).metadata(), sharp(at('plain.png')).metadata()]);
    expect(warned.height).toBeGreaterThan(plain.height);
  });

  it('gives the same labels for the same seed, and others for another', async () => {
    const labels = async (seed: string): Promise<string> => {
      const argv = ['segment', at('tall.png'), '--model', 'demo', ...FAST, '--seed', seed];
      const { status } = await ii(...argv, '--labels', at('seed.png'), '-o', at('seed.overlay.png'));
      expect(status).toBe(0);
      return (await readFile(at('seed.png'))).toString('hex');
    };
    expect(await labels('3')).toBe(await labels('3'));
    expect(await labels('3')).not.toBe(await labels('4'));
  });

  it('takes an official configuration with a file of its shapes', async () => {
    const { status, stderr } = await ii(
      'segment',
      at('small.jpg'),
      '--model',
      'T',
      '--checkpoint',
      at('tiny.safetensors'),
      ...FAST,
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/'tiny\.safetensors' and UPerNet InternImage-T: the checkpoint does not fit the model/);
    expect(stderr).toMatch(/patch_embed\.conv1\.weight \(model \[32, 3, 3, 3\], checkpoint \[8, 3, 3, 3\]\)/);
  });

  it('uses the configuration’s scale, and the flag before it', async () => {
    await writeFile(at('scaled.json'), JSON.stringify({ ...tinyConfig, testScale: [96, 64] }));
    const run = async (...flags: string[]): Promise<number[]> => {
      const argv = ['segment', at('small.jpg'), '--checkpoint', at('tiny.safetensors'), '--config', at('scaled.json')];
      const { stdout } = await ii(...argv, '--device', 'reference', '--json', '-o', at('scaled.png'), ...flags);
      return (JSON.parse(stdout) as Report[])[0]!.inputSize;
    };
    expect(await run()).toEqual([64, 96]);
    expect(await run('--scale', '32x64')).toEqual([32, 64]);
  });

  it('runs on the wasm device', async () => {
    const argv = ['segment', at('small.jpg'), ...MODEL().slice(0, 4), '--scale', '64x32', '--threads', '1'];
    const wasm = await ii(...argv, '--labels', at('wasm.png'), '-o', at('w.png'), '--json');
    expect(wasm.stdout).toMatch(/"device": "wasm"/);
    await ii('segment', at('small.jpg'), ...MODEL(), '--labels', at('oracle.png'), '-o', at('w.png'));
    const [a, b] = await Promise.all(
      ['wasm.png', 'oracle.png'].map(async (name) => decode(await readFile(at(name))).data),
    );
    const different = [...a!].filter((id, i) => id !== b![i]).length;
    expect(different).toBeLessThanOrEqual(a!.length * 0.01);
  });

  it('draws progress and colours on a terminal only', async () => {
    const argv = ['segment', at('small.jpg'), ...MODEL(), '-o', at('tty.png')];
    const seen = await iiWith({ isTTY: true }, ...argv);
    expect(seen.status).toBe(0);
    expect(seen.stderr).toMatch(/loading weights .*100 %/);
    expect(seen.stderr).toMatch(/segmenting /);
    expect(seen.stdout.startsWith(`\u001B[1m${at('small.jpg')}\u001B[22m\n`)).toBe(true);
    expect((await iiWith({ isTTY: true }, ...argv, '--quiet')).stderr).toBe('');
  });

  describe('several images', () => {
    it('writes into folders and prints one document', async () => {
      const { status, stdout } = await ii(
        ...['segment', at('small.jpg'), at('tall.png'), ...MODEL(), '-o', at('out'), '--labels', at('out'), '--json'],
      );
      expect(status).toBe(0);
      const reports = JSON.parse(stdout) as Report[];
      expect(reports.map(({ size }) => size)).toEqual([
        [36, 48],
        [40, 32],
      ]);
      expect((await readdir(at('out'))).sort()).toEqual([
        ...['small.labels.png', 'small.overlay.png', 'tall.labels.png', 'tall.overlay.png'],
      ]);
    });

    it('refuses outputs that would be one file', async () => {
      await mkdir(at('sub'), { recursive: true });
      await sharp(sample).resize(32, 32).png().toFile(at('sub/small.png'));
      const { status, stderr } = await ii('segment', at('small.jpg'), at('sub/small.png'), ...MODEL(), '-o', at('one'));
      expect(status).toBe(2);
      expect(stderr).toMatch(/small\.overlay\.png: it would be written twice/);
    });

    it('runs nothing when one is bad', async () => {
      await writeFile(at('bad.jpg'), 'not a photo');
      const { status, stderr } = await ii('segment', at('small.jpg'), at('bad.jpg'), ...MODEL(), '-o', at('none'));
      expect(status).toBe(1);
      expect(stderr).toMatch(/bad\.jpg is not a JPEG, PNG or WebP image/);
      expect(await readdir(at('none'))).toEqual([]);
    });
  });

  describe('photos of all kinds', () => {
    const gradient = (length: number, levels: number): number[] => Array.from({ length }, (_, i) => (i * 37) % levels);
    const png = (channels: number, depth: 8 | 16): Uint8Array => {
      const values = gradient(20 * 12 * channels, 2 ** depth);
      const data = depth === 8 ? Uint8Array.from(values) : Uint16Array.from(values);
      return encode({ width: 20, height: 12, channels, depth, data });
    };
    it.each([
      ['1 × 1', () => encode({ width: 1, height: 1, channels: 3, data: new Uint8Array([9, 90, 200]) }), [1, 1]],
      ['greyscale PNG', () => png(1, 8), [12, 20]],
      ['PNG with alpha', () => png(4, 8), [12, 20]],
      ['16-bit PNG', () => png(3, 16), [12, 20]],
      ['CMYK JPEG', () => sharp(sample).resize(20, 12).toColourspace('cmyk').jpeg().toBuffer(), [12, 20]],
      ['greyscale JPEG', () => sharp(sample).resize(20, 12).toColourspace('b-w').jpeg().toBuffer(), [12, 20]],
    ])('%s', async (_, make, size) => {
      await writeFile(at('kind'), await make());
      const { status, stdout } = await ii('segment', at('kind'), ...MODEL(), '-o', at('kind.png'), '--json');
      expect(status).toBe(0);
      expect((JSON.parse(stdout) as Report[])[0]!.size).toEqual(size);
    });
  });

  it('stops when it is aborted, and leaves nothing', async () => {
    const before = await readdir(folder);
    const early = AbortSignal.abort(new Error('enough'));
    const { status, stdout } = await iiWith(
      { signal: early },
      'segment',
      at('small.jpg'),
      ...MODEL(),
      '-o',
      at('aborted.png'),
    );
    expect([status, stdout]).toEqual([1, '']);

    // The warning about the demonstration model comes when everything is checked and the work begins.
    const controller = new AbortController();
    const abort = { signal: controller.signal, onStderr: () => controller.abort(new Error('enough')) };
    const argv = ['segment', sample, '--model', 'demo', '--threads', '1', '-o', at('aborted.png')];
    const late = await iiWith(abort, ...argv);
    expect([late.status, late.stdout]).toEqual([1, '']);
    expect(late.stderr).toContain('enough');
    expect(await readdir(folder)).toEqual(before);
  });
});
