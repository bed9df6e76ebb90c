import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { decode, encode } from 'fast-png';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesSource, createDevice, readElements, readSafetensors, type StoredTensor } from '@ii/tensor';
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

  it('runs the demo model without a model, and says that its labels mean nothing', async () => {
    const argv = ['segment', at('small.jpg'), ...FAST, '-o', at('demo.png')];
    const text = await ii(...argv);
    expect(text.status).toBe(0);
    expect(text.stderr).toMatch(
      /^warning: the weights are untrained \(random, seed 0\): the labels are meaningless\n$/,
    );
    const { stdout, stderr } = await ii(...argv, '--json');
    expect(stderr).toBe(text.stderr);
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

  describe('bad input', () => {
    beforeAll(async () => {
      await writeFile(at('text.jpg'), 'These are words, not a photo.\n');
      await writeFile(at('cut.jpg'), (await readFile(sample)).subarray(0, 9000));
      await writeFile(at('huge.png'), hugePng(30_000, 30_000));
      const missing = (tensors: Map<string, StoredTensor>): void =>
        void tensors.delete('decode_head.fpn_convs.1.bn.weight');
      await writeFile(at('missing.safetensors'), await checkpointOf(tinyConfig, 7, { change: missing }));
      const resnet = (tensors: Map<string, StoredTensor>): void => {
        const [first] = tensors.values();
        tensors.clear();
        tensors.set('layer1.0.conv1.weight', first!);
      };
      await writeFile(at('resnet.safetensors'), await checkpointOf(tinyConfig, 7, { change: resnet }));
      await writeFile(at('typo.json'), JSON.stringify({ ...tinyConfig, numClases: 3 }));
      await mkdir(at('folder.png'), { recursive: true });
    });

    it.each<[string, () => string[], number, RegExp]>([
      ['no such file', () => [at('none.jpg')], 1, /no such file: .*none\.jpg/],
      ['text', () => [at('text.jpg')], 1, /text\.jpg is not a JPEG, PNG or WebP image: its content looks like .*text/],
      ['a truncated JPEG', () => [at('cut.jpg')], 1, /cut\.jpg is truncated or corrupt/],
      [
        'a huge image',
        () => [at('huge.png')],
        1,
        /huge\.png is 30000 × 30000 pixels, 900 megapixels; the limit is 134/,
      ],
      ['a folder', () => [at('folder.png')], 1, /is a directory/],
      ['no image', () => [], 2, /missing required argument 'image'/],
      [
        'another model',
        () => [at('small.jpg'), '--checkpoint', at('resnet.safetensors')],
        1,
        /'resnet\.safetensors' is not an InternImage segmentation model: it looks like a ResNet/,
      ],
      [
        'another model, named',
        () => [at('small.jpg'), '--checkpoint', at('resnet.safetensors'), '--model', 'T'],
        1,
        /it looks like a ResNet/,
      ],
      [
        'a missing tensor',
        () => [at('small.jpg'), '--checkpoint', at('missing.safetensors'), '--config', at('tiny.json')],
        1,
        /1 missing from the checkpoint:\n +decode_head\.fpn_convs\.1\.bn\.weight/,
      ],
      [
        'a photo as checkpoint',
        () => [at('small.jpg'), '--checkpoint', at('small.jpg')],
        1,
        /'small\.jpg' is not a checkpoint: it is a JPEG image/,
      ],
      [
        'no such checkpoint',
        () => [at('small.jpg'), '--checkpoint', at('no.pth')],
        1,
        /cannot open '.*no\.pth': there is no such file/,
      ],
      [
        'an unknown model',
        () => [at('small.jpg'), '--model', 'internimage-x'],
        2,
        /unknown model 'internimage-x' \(did you mean internimage-/,
      ],
      [
        'missing weights',
        () => [at('small.jpg'), '--model', 'L'],
        1,
        /the weights of internimage-l are not here: download https:\S+upernet_internimage_l_640_160k_ade20k\.pth and pass --checkpoint/,
      ],
      [
        'a wrong key',
        () => [at('small.jpg'), '--checkpoint', at('tiny.safetensors'), '--config', at('typo.json')],
        1,
        /unknown key 'numClases'; did you mean 'numClasses'\?/,
      ],
      [
        'no such device',
        () => [at('small.jpg'), '--device', 'tpu'],
        2,
        /argument 'tpu' is invalid\. Allowed choices are auto, /,
      ],
      [
        'too many threads',
        () => [at('small.jpg'), '--threads', '1000'],
        2,
        /argument '1000' is invalid\. Expected a whole number from 0 to 64/,
      ],
      [
        'a wrong scale',
        () => [at('small.jpg'), '--scale', 'big'],
        2,
        /argument 'big' is invalid\. Expected LONGxSHORT/,
      ],
      [
        'a wrong opacity',
        () => [at('small.jpg'), '--opacity', '2'],
        2,
        /argument '2' is invalid\. Expected a number from 0 to 1/,
      ],
      ['a wrong seed', () => [at('small.jpg'), '--seed', 'x'], 2, /argument 'x' is invalid/],
      [
        'an unknown option',
        () => [at('small.jpg'), '--labls', 'x.png'],
        2,
        /unknown option '--labls'\n\(Did you mean --labels\?\)/,
      ],
      [
        'a seed for a checkpoint',
        () => [at('small.jpg'), '--checkpoint', 'x', '--seed', '1'],
        2,
        /does not go with --checkpoint/,
      ],
      ['two configurations', () => [at('small.jpg'), '--model', 'T', '--config', 'x'], 2, /both give a configuration/],
      ['a lone configuration', () => [at('small.jpg'), '--config', 'x'], 2, /add --checkpoint FILE/],
      [
        'no such folder',
        () => [at('small.jpg'), '-o', at('no/where.png')],
        1,
        /cannot write .*where\.png: the folder .* does not exist/,
      ],
      ['a file for a folder', () => [at('small.jpg'), '-o', at('tiny.json/x.png')], 1, /tiny\.json is not a folder/],
      [
        'an output that is no PNG',
        () => [at('small.jpg'), '-o', at('x.jpg')],
        2,
        /expected a file name that ends in \.png/,
      ],
      [
        'logits that are no safetensors',
        () => [at('small.jpg'), '--save-logits', at('x.bin')],
        2,
        /ends in \.safetensors/,
      ],
      [
        'a file for several photos',
        () => [at('small.jpg'), at('tall.png'), '-o', at('x.png')],
        2,
        /for 2 images, -o names a folder/,
      ],
      ['the photo as output', () => [at('tall.png'), '--labels', at('tall.png')], 2, /it is one of the photos/],
    ])('%s', async (_, argv, expected, message) => {
      const before = await readdir(folder);
      const text = await ii('segment', '--scale', '64x32', ...argv());
      expect(text.stderr).toMatch(message);
      expect(text.stdout).toBe('');
      expect(text.status).toBe(expected);
      const json = await ii('segment', '--scale', '64x32', ...argv(), '--json');
      expect(json.status).toBe(expected);
      expect(JSON.parse(json.stdout)).toEqual({
        error: { code: expect.stringMatching(/^ERR_/), message: expect.stringMatching(message) },
      });
      expect(await readdir(folder)).toEqual(before);
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

    const controller = new AbortController();
    const running = iiWith(
      { signal: controller.signal },
      'segment',
      sample,
      '--seed',
      '1',
      '--model',
      'T',
      '--threads',
      '1',
      '-o',
      at('aborted.png'),
    );
    setTimeout(() => controller.abort(new Error('enough')), 1500);
    expect((await running).status).toBe(1);
    expect(await readdir(folder)).toEqual(before);
  });
});

/** The start of a PNG of this size: its header is all that is looked at. */
function hugePng(width: number, height: number): Uint8Array {
  const png = Buffer.from(encode({ width: 1, height: 1, channels: 3, data: new Uint8Array(3) }));
  png.writeUInt32BE(width, 16);
  png.writeUInt32BE(height, 20);
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  return png;
}
