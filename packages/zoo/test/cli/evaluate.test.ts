import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, encode } from 'fast-png';
import ndarray from 'ndarray';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADE20K_CLASS_NAMES, openEvaluation, type SegmentationDataset } from '@ii/ade20k';
import { bytesSource, createDevice, readElements, readSafetensors, storedTensor, type StoredTensor } from '@ii/tensor';
import { resizeNearest, type LabelMap } from '@ii/tensor/image';
import { createUperNet } from '@ii/upernet';
import { decodeAnnotation, openAde20kFolder } from '../../src/data/index.js';
import { laySamplesOut, put, sampleNames, samples } from '../data/support.js';
import { checkpointOf, ii, iiWith, tinyConfig, type Ran } from '../support.js';
import { differences, plainFigures, plainLabels } from './plain-figures.js';

const RATIOS = [0.5, 0.75, 1, 1.25, 1.5, 1.75];
const FIGURES = ['images', 'metrics', 'perClass'] as const;

let folder: string;
let dataset: SegmentationDataset;
const at = (name: string): string => join(folder, name);
/** The sample pairs at an eighth of their size. */
const root = (): string => at('small');
const MODEL = (): string[] => [
  ...['--checkpoint', at('tiny.safetensors'), '--config', at('tiny.json')],
  ...['--scale', '64x48', '--device', 'reference'],
];
const evaluate = (...argv: readonly string[]): Promise<Ran> => ii('evaluate', '--data', root(), ...MODEL(), ...argv);

type Document = Record<string, unknown> & {
  readonly images: number;
  readonly metrics: Record<string, number | null>;
  readonly perClass: { name: string; iou: number | null; acc: number | null; pixels: number }[];
};

/** The one document of a run that succeeded. */
function documentOf({ status, stdout, stderr }: Ran): Document {
  expect([status, status === 0 ? '' : stderr + stdout]).toEqual([0, '']);
  return JSON.parse(stdout) as Document;
}

const figuresOf = (document: Document): object => Object.fromEntries(FIGURES.map((key) => [key, document[key]]));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ii-evaluate-'));
  await writeFile(at('tiny.json'), JSON.stringify(tinyConfig));
  for (const name of sampleNames) {
    const labels = decodeAnnotation(await readFile(join(samples, `${name}.png`)), name);
    const [height, width] = labels.shape.map((side) => Math.round(side / 8)) as [number, number];
    const { data } = resizeNearest(labels, [height, width]);
    await put(root(), {
      [`images/validation/${name}.jpg`]: await sharp(join(samples, `${name}.jpg`))
        .resize(width, height)
        .toBuffer(),
      [`annotations/validation/${name}.png`]: encode({ width, height, data, channels: 1 }),
    });
  }
  dataset = await openAde20kFolder(root(), 'validation');
  await writeFile(at('tiny.safetensors'), await guessingCheckpoint());
});
afterAll(() => rm(folder, { recursive: true }));

/**
 * Untrained weights whose last layer is balanced, so that several of the sample pairs' most frequent classes, and only
 * they, are predicted: otherwise nearly every figure would be 0 whatever is predicted.
 */
async function guessingCheckpoint(): Promise<Uint8Array> {
  const pixels = new Float64Array(256);
  for (let i = 0; i < dataset.length; i++) for (const id of (await dataset.load(i)).labels!.data) pixels[id]!++;
  const frequent = ADE20K_CLASS_NAMES.map((_, id) => id).sort((a, b) => pixels[b]! - pixels[a]!);
  const [weight, bias] = ['decode_head.conv_seg.weight', 'decode_head.conv_seg.bias'];
  const { tensors } = await readSafetensors(bytesSource(await checkpointOf(tinyConfig, 7)));
  const rows = (await readElements(tensors.get(weight)!)) as Float32Array;
  using model = await createUperNet(tinyConfig, { device: 'reference', weights: tensors });
  const { image } = await dataset.load(0);
  const { data } = (await model.segment(image, { scale: [64, 48], logits: true })).logits!;
  const biases = new Float32Array(150).fill(-1e3);
  for (const id of frequent.slice(0, 10)) {
    const values = data.filter((_, i) => i % 150 === id);
    const mean = values.reduce((a, b) => a + b) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    biases[id] = -mean / deviation;
    const channels = rows.length / 150;
    for (let c = 0; c < channels; c++) rows[id * channels + c]! /= deviation;
  }
  const change = (changed: Map<string, StoredTensor>): void => {
    changed.set(weight, storedTensor(rows, tensors.get(weight)!.shape));
    changed.set(bias, storedTensor(biases, [150]));
  };
  return checkpointOf(tinyConfig, 7, { change });
}

/** The figures of the tiny checkpoint by the slow computation. */
async function slowFigures(data: SegmentationDataset, ratios: number[], flips: boolean[]): Promise<object> {
  using device = await createDevice('reference');
  const { tensors } = await readSafetensors(bytesSource(await readFile(at('tiny.safetensors'))));
  using model = await createUperNet(tinyConfig, { device, weights: tensors });
  const pairs = [];
  for (let index = 0; index < data.length; index++) {
    const { image, labels } = await data.load(index);
    const prediction = await plainLabels(image, { network: model.network, device, scale: [64, 48], ratios, flips });
    pairs.push({ prediction, truth: labels!.data });
  }
  return plainFigures(pairs, ADE20K_CLASS_NAMES);
}

describe('ii evaluate', () => {
  it('ss: every figure is that of the slow computation', async () => {
    const document = documentOf(await evaluate('--json'));
    expect(differences(figuresOf(document), await slowFigures(dataset, [1], [false]))).toEqual([]);
    expect(document.perClass.filter(({ iou }) => iou !== null && iou > 0).length).toBeGreaterThan(4);
    expect(document).toMatchObject({
      ...{ images: 3, protocol: 'ss', mode: 'whole', scale: [64, 48], model: null, device: 'reference', skipped: [] },
      ...{ weights: { kind: 'checkpoint', file: at('tiny.safetensors') }, state: null, report: null, shard: null },
    });
    expect(document['secondsPerImage']).toBeGreaterThan(0);
    expect(Object.keys(document.metrics)).toEqual(['aAcc', 'mAcc', 'mIoU', 'mDice']);
    for (const entry of document.perClass) expect(Object.keys(entry)).toEqual(['name', 'iou', 'acc', 'pixels']);
  });

  it('ms-flip: every figure is that of the slow computation, and not that of ss', { timeout: 240_000 }, async () => {
    const document = documentOf(await evaluate('--protocol', 'ms-flip', '--json'));
    expect(differences(figuresOf(document), await slowFigures(dataset, RATIOS, [false, true]))).toEqual([]);
    expect(document.metrics).not.toEqual(documentOf(await evaluate('--json')).metrics);
  });

  it('ss on the photos at their full size', { timeout: 240_000 }, async () => {
    await laySamplesOut(at('ADEChallengeData2016'));
    const argv = ['evaluate', '--data', folder, ...MODEL(), '--json'];
    const document = documentOf(await ii(...argv));
    const data = await openAde20kFolder(folder, 'validation');
    expect(differences(figuresOf(document), await slowFigures(data, [1], [false]))).toEqual([]);
  });

  it('slide: windows change the figures, one window as large as the input does not', async () => {
    const whole = documentOf(await evaluate('--json'));
    const one = documentOf(await evaluate('--mode', 'slide', '--crop', '64x64', '--json'));
    expect(figuresOf(one)).toEqual(figuresOf(whole));
    expect(one).toMatchObject({ mode: 'slide', crop: [64, 64], stride: [42, 42] });
    const many = documentOf(await evaluate('--mode', 'slide', '--crop', '32x32', '--stride', '16x24', '--json'));
    expect(many.metrics).not.toEqual(whole.metrics);
    expect(many).toMatchObject({ crop: [32, 32], stride: [16, 24] });
  });

  it('prints a table, progress and the means for a person', async () => {
    const { status, stdout, stderr } = await evaluate();
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^ id {2}class +IoU +accuracy +pixels$/);
    expect(lines[1]).toMatch(/^ {2}0 {2}wall +[\d.]+ % +[\d.]+ % +[\d,]+$/);
    expect(lines[150]).toMatch(/^149 {2}flag +(–|0.00 %) +– +0$/);
    expect(stdout).toMatch(
      /\nimages +3\nmIoU +\d+\.\d\d %\nmAcc +\d+\.\d\d %\naAcc +\d+\.\d\d %\nmDice +\d+\.\d\d %\n/,
    );
    expect(stdout).toMatch(/\n[\d.]+ images\/s, \d+ s in all\n$/);
    expect(stderr).toMatch(/^evaluated 1\/3 · [\d.]+ images\/s · \d+ s left · mIoU \d+\.\d\d %\n/);
    expect(stderr).toMatch(/\nevaluated 3\/3 · [\d.]+ images\/s · 0 s left · mIoU \d+\.\d\d %\n$/);
    expect((await evaluate('--quiet')).stderr).toBe('');
    const signal = new AbortController().signal;
    const terminal = await iiWith({ signal, isTTY: true }, 'evaluate', '--data', root(), ...MODEL());
    expect(terminal.stderr).toMatch(/3\/3 · [\d.]+ images\/s · 0 s left · mIoU/);
  });
});

describe('shards and interruptions', () => {
  it('two shards merged equal one run, bit for bit', async () => {
    const whole = documentOf(await evaluate('--json', '--state', at('whole.json')));
    for (const i of [1, 2]) {
      const argv = ['--shard', `${i}/2`, '--state', at(`shard${i}.json`), '--json'];
      const document = documentOf(await evaluate(...argv));
      expect([document.images, document['shard']]).toEqual([i === 1 ? 2 : 1, `${i}/2`]);
    }
    const merged = documentOf(await ii('evaluate', 'merge', at('shard2.json'), at('shard1.json'), '--json'));
    expect(JSON.stringify(figuresOf(merged))).toBe(JSON.stringify(figuresOf(whole)));
    expect(merged).toMatchObject({ protocol: 'ss', mode: 'whole', shards: 2, entries: 3, skipped: [] });
    const text = await ii('evaluate', 'merge', at('shard1.json'), at('shard2.json'));
    expect(text.stdout).toMatch(/\nimages +3\nmIoU/);

    const refused = async (files: string[], message: RegExp): Promise<void> => {
      const { status, stderr } = await ii('evaluate', 'merge', ...files);
      expect([status, stderr]).toEqual([1, expect.stringMatching(message)]);
    };
    await refused([at('shard1.json')], /1 of 2 shards missing: 2\/2/);
    await refused([at('shard1.json'), at('whole.json')], /not of one evaluation: number of shards is 2 .* and 1/);
    await refused([at('none.json')], /cannot read .*none\.json: there is no such file/);
    await refused([at('tiny.json')], /tiny\.json is not a stored evaluation/);
    await refused([at('tiny.safetensors')], /tiny\.safetensors is not a stored evaluation: it is no JSON/);
  });

  it('a run stopped at half and resumed equals an uninterrupted one', async () => {
    const whole = documentOf(await evaluate('--json'));
    const stop = new AbortController();
    const argv = ['evaluate', '--data', root(), ...MODEL(), '--state', at('half.json'), '--json'];
    const { stderr: seen } = await stoppedAfterFirst(argv, stop);
    expect(seen).toMatch(/warning: the results so far \(1 of the images\) are kept in .*half\.json; --resume goes on/);
    expect(JSON.parse(await readFile(at('half.json'), 'utf8'))).toMatchObject({ drawn: 1 });

    const anew = await ii(...argv);
    expect([anew.status, anew.stdout]).toEqual([
      2,
      expect.stringMatching(/unfinished evaluation \(1 done\): add --resume/),
    ]);
    const other = await ii(...argv, '--resume', '--protocol', 'ms-flip');
    expect([other.status, other.stdout]).toEqual([1, expect.stringMatching(/protocol is ss in one and ms-flip/)]);

    const report = at('resumed.html');
    const resumed = documentOf(await ii(...argv, '--resume', '--report', report));
    expect(JSON.stringify(figuresOf(resumed))).toBe(JSON.stringify(figuresOf(whole)));
    // The worst images of both parts are in the report.
    expect((await readFile(report, 'utf8')).match(/<article>/g)).toHaveLength(3);
    expect(figuresOf(documentOf(await ii(...argv, '--resume')))).toEqual(figuresOf(whole));
  });

  it('--limit takes the first photos', async () => {
    const document = documentOf(await evaluate('--limit', '1', '--json'));
    const { labels } = await dataset.load(0);
    expect(document.images).toBe(1);
    expect(document.perClass.reduce((sum, { pixels }) => sum + pixels, 0)).toBe(
      labels!.data.filter((id) => id !== 255).length,
    );
  });
});

/** Runs the command until its first line of progress. */
async function stoppedAfterFirst(argv: readonly string[], stop: AbortController): Promise<Ran> {
  const { main } = await import('../../src/cli/main.js');
  const { Writable } = await import('node:stream');
  let stderr = '';
  const stream = (onText: (text: string) => void) =>
    new Writable({
      write(chunk: Buffer, _, done) {
        onText(chunk.toString());
        done();
      },
    });
  const status = await main(argv, {
    stdout: stream(() => undefined),
    stderr: stream((text) => {
      stderr += text;
      if (text.startsWith('evaluated 1/')) stop.abort(new Error('enough'));
    }),
    signal: stop.signal,
  });
  expect(status).toBe(1);
  return { status, stdout: '', stderr };
}

describe('the rules of the figures, on the sample pairs', () => {
  async function figuresFor(predict: (truth: LabelMap<Uint8Array>) => LabelMap<Uint8Array>) {
    const truths: LabelMap<Uint8Array>[] = [];
    for (let i = 0; i < dataset.length; i++) truths.push((await dataset.load(i)).labels!);
    let next = 0;
    const evaluation = await openEvaluation({ dataset, segment: () => predict(truths[next++]!) });
    const scores = [];
    for await (const { score } of evaluation) scores.push(score);
    const pairs = truths.map((truth) => ({ truth: truth.data, prediction: predict(truth).data }));
    return { report: evaluation.report(), scores, expected: plainFigures(pairs, ADE20K_CLASS_NAMES) };
  }

  it('perfect predictions have 100 % on the classes present', async () => {
    // Unlabelled pixels may be anything.
    const { report, scores } = await figuresFor((truth) =>
      ndarray(
        truth.data.map((id) => (id === 255 ? 3 : id)),
        truth.shape,
      ),
    );
    expect(report.metrics).toEqual({ aAcc: 1, mAcc: 1, mIoU: 1, mDice: 1 });
    expect(scores.map(({ mIoU, aAcc }) => [mIoU, aAcc])).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
    ]);
    for (const { iou, acc, pixels } of report.perClass) expect([iou, acc]).toEqual(pixels! > 0 ? [1, 1] : [null, null]);
    expect(report.perClass.filter(({ iou }) => iou === 1).length).toBeGreaterThan(10);
  });

  it('a map moved by a column gives what counting gives', async () => {
    const { report, expected } = await figuresFor((truth) => {
      const [height, width] = truth.shape as [number, number];
      const moved = ndarray(new Uint8Array(height * width), [height, width]);
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) moved.set(y, x, Math.min(truth.get(y, (x + 1) % width), 149));
      return moved;
    });
    expect(differences(report, expected)).toEqual([]);
    expect(report.metrics.mIoU).toBeGreaterThan(0.2);
    expect(report.metrics.mIoU).toBeLessThan(0.95);
  });

  it('ids moved by one are all wrong: predicted classes count with 0, but have no accuracy', async () => {
    const { report, expected } = await figuresFor((truth) =>
      ndarray(
        truth.data.map((id) => (id + 1) % 150),
        truth.shape,
      ),
    );
    expect(differences(report, expected)).toEqual([]);
    expect(report.metrics.aAcc).toBeLessThan(1e-12);
    const onlyPredicted = report.perClass.filter(({ iou, pixels }) => iou === 0 && pixels === 0);
    expect(onlyPredicted.length).toBeGreaterThan(0);
    expect(onlyPredicted.every(({ acc }) => acc === null)).toBe(true);
  });
});

describe('bad data', () => {
  const name = sampleNames[1];
  const photo = `images/validation/${name}.jpg`;
  const truth = `annotations/validation/${name}.png`;
  const grey = (values: Uint8Array | Uint16Array, width: number, height: number, depth: 8 | 16 = 8): Uint8Array =>
    encode({ width, height, data: values, channels: 1, depth });

  /** A copy of the small data, changed. */
  async function damaged(title: string, change: (folder: string) => Promise<unknown>): Promise<string> {
    const copy = at(title);
    for (const each of sampleNames) {
      const [image, labels] = [`images/validation/${each}.jpg`, `annotations/validation/${each}.png`];
      await put(copy, { [image]: await readFile(join(root(), image)), [labels]: await readFile(join(root(), labels)) });
    }
    await change(copy);
    return copy;
  }

  const original = async () => decode(await readFile(join(root(), truth)));

  it.each<[string, (folder: string) => Promise<unknown>, RegExp]>([
    ['missing', (copy) => rm(join(copy, truth)), /no annotation for \S+ADE_val_00000002\.jpg/],
    [
      'mismatch',
      (copy) => put(copy, { [truth]: grey(new Uint8Array(20 * 10), 20, 10) }),
      /ADE_val_00000002\.png is 20 × 10 pixels, but its photo \S+ADE_val_00000002\.jpg is 63 × 46/,
    ],
    [
      'label 151',
      async (copy) => {
        const { width, height, data } = await original();
        const values = Uint8Array.from(data);
        values[5] = 151;
        await put(copy, { [truth]: grey(values, width, height) });
      },
      /ADE_val_00000002\.png has label 151 \(1 pixel\); expected 1 to 150, or 0 where unlabelled/,
    ],
    [
      '16-bit',
      async (copy) => {
        const { width, height, data } = await original();
        await put(copy, { [truth]: grey(Uint16Array.from(data), width, height, 16) });
      },
      /ADE_val_00000002\.png is a 16-bit PNG; an annotation has 8 bits/,
    ],
    [
      'truncated',
      async (copy) => put(copy, { [photo]: (await readFile(join(root(), photo))).subarray(0, -300) }),
      /ADE_val_00000002\.jpg/,
    ],
  ])('%s: named in the error, or left out', async (title, change, message) => {
    const copy = await damaged(title, change);
    const argv = ['evaluate', '--data', copy, ...MODEL(), '--quiet', '--state', at(`${title}.json`)];
    const failed = await ii(...argv);
    expect([failed.status, failed.stdout]).toEqual([1, '']);
    expect(failed.stderr).toMatch(message);
    expect(failed.stderr.split('\n').at(-2)).toMatch(/^error: /);

    const { status, stdout, stderr } = await ii(...argv, '--on-error', 'skip', '--resume', '--json');
    expect(status).toBe(0);
    expect(stderr).toMatch(message);
    const document = JSON.parse(stdout) as Document & { skipped: { index: number; message: string }[] };
    expect(document.images).toBe(2);
    expect(document.skipped).toMatchObject([{ index: 1, message: expect.stringMatching(message) }]);
  });

  it('an empty or missing folder', async () => {
    await mkdir(at('bare/images/validation'), { recursive: true });
    await mkdir(at('bare/annotations/validation'), { recursive: true });
    const failure = async (data: string): Promise<string> => {
      const { status, stderr } = await ii('evaluate', '--data', data, ...MODEL());
      expect(status).toBe(1);
      return stderr;
    };
    expect(await failure(at('bare'))).toMatch(/no photos in \S+bare\/images\/validation: expected/);
    expect(await failure(at('nowhere'))).toMatch(/no folder \S+nowhere\/images for the photos/);
  });

  it('folders without validation, of any photo type, are read as well', async () => {
    const { image, labels } = await dataset.load(0);
    const [height, width] = labels!.shape as [number, number];
    const stored = labels!.data.map((id) => (id === 255 ? 0 : id + 1));
    const png = await sharp(image.data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    await put(at('flat'), { 'images/a.png': png, 'annotations/a.png': grey(stored, width, height) });
    const flat = documentOf(await ii('evaluate', '--data', at('flat'), ...MODEL(), '--json'));
    expect(figuresOf(flat)).toEqual(figuresOf(documentOf(await evaluate('--limit', '1', '--json'))));
  });
});

describe('usage', () => {
  it.each([
    [['--model', 'T', '--seed', '1'], /name the data: --data ROOT/],
    [['--data', 'x'], /name the model: --model NAME or --checkpoint FILE/],
    [['--data', 'x', '--seed', '1', '--crop', '32x32'], /--crop and --stride are for --mode slide/],
    [
      ['--data', 'x', '--seed', '1', '--report', 'out.pdf'],
      /--report out\.pdf: expected a file name that ends in \.html/,
    ],
    [['--data', 'x', '--protocol', 'ms'], /Allowed choices are ss, ms-flip/],
    [['--data', 'x', '--shard', '3/2'], /a shard is i\/n with i from 1 to n/],
    [['--data', 'x', '--limit', '0'], /whole number of at least 1/],
    [['merge'], /missing required argument 'shard'/],
  ])('%j is refused with status 2', async (argv, message) => {
    const { status, stderr } = await ii('evaluate', ...argv);
    expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
  });

  it('asks what the annotations of other classes mean', async () => {
    const config = { ...tinyConfig, numClasses: 160 };
    await writeFile(at('other.json'), JSON.stringify(config));
    const argv = ['evaluate', '--data', root(), '--config', at('other.json'), '--seed', '1', '--scale', '32x32'];
    const refused = await ii(...argv);
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringMatching(/has 160 classes.*--labels ade20k/)]);
    const { stdout } = await ii(...argv, '--labels', 'raw', '--json', '--limit', '1', '--device', 'reference');
    const { perClass } = JSON.parse(stdout) as Document;
    expect([perClass.length, perClass[7]!.name]).toEqual([160, 'class 7']);
  });
});

describe('the report', () => {
  it('is one file with the figures, a bar for each class present, and the worst images', async () => {
    const document = documentOf(await evaluate('--report', at('report.html'), '--json'));
    expect(document['report']).toBe(at('report.html'));
    const page = await readFile(at('report.html'), 'utf8');
    expect(page).not.toMatch(/(src|href)="(?!data:)|url\(|@import|<script/);
    expect(page).toContain(`<b>${(document.metrics['mIoU']! * 100).toFixed(2)} %</b><span>mIoU</span>`);
    const present = document.perClass.filter(({ iou }) => iou !== null);
    expect(page.match(/<div class="class"/g)).toHaveLength(present.length);
    const pictures = [...page.matchAll(/src="data:image\/png;base64,([^"]+)" alt="(prediction|truth)/g)];
    expect(pictures.map(([, , kind]) => kind)).toEqual(Array.from({ length: 3 }, () => ['prediction', 'truth']).flat());
    // The order is that of the images' mIoU.
    const shares = [...page.matchAll(/<span>mIoU ([\d.]+) %/g)].map(([, share]) => Number(share));
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    const sizes = [];
    for (const [, data] of pictures) {
      const { width, height } = await sharp(Buffer.from(data!, 'base64')).metadata();
      sizes.push(`${width}×${height}`);
    }
    const photos = await Promise.all([0, 1, 2].map(async (i) => (await dataset.load(i)).originalSize));
    expect(sizes.toSorted()).toEqual(photos.flatMap(([h, w]) => [`${w}×${h}`, `${w}×${h}`]).toSorted());
  });

  it('keeps names from being markup', async () => {
    const argv = ['--data', root(), '--seed', '1', '--config', at('<b>&.json'), '--report', at('odd.html')];
    await writeFile(at('<b>&.json'), JSON.stringify(tinyConfig));
    const { status } = await ii('evaluate', ...argv, '--scale', '32x32', '--device', 'reference', '--limit', '1');
    expect(status).toBe(0);
    const page = await readFile(at('odd.html'), 'utf8');
    expect(page).not.toContain('<b>&.json');
    expect(page).toContain('&#60;b&#62;&#38;.json');
    expect(page).toMatch(/class="warning">the weights are untrained/);
  });
});
