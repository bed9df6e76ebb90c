import ndarray, { type NdArray } from 'ndarray';
import { describe, expect, it } from 'vitest';
import type { RgbImage } from '@ii/tensor/image';
import {
  drawRectangles,
  EvaluationError,
  evaluationReport,
  inProcess,
  isComplete,
  mergeEvaluations,
  openAde20k,
  openDataset,
  openEvaluation,
  parseEvaluationState,
  SampleError,
  syntheticAde20k,
  type Evaluation,
  type EvaluationOptions,
  type EvaluationState,
  type EvaluationStore,
  type SampleRef,
} from '../src/index.js';
import { annotation, memoryAccess, photo } from './support.js';

const dataset = await openAde20k(
  syntheticAde20k({ count: 11, size: [12, 16], draw: drawRectangles(20) }),
  'validation',
);

/** A poor labeller, whose answer depends on the photo alone. */
function guess(image: RgbImage): NdArray<Uint8Array> {
  const [height, width] = image.shape as [number, number, number];
  const ids = Uint8Array.from({ length: height * width }, (_, i) => (image.data[3 * i]! >> 4) + (i % 3));
  return ndarray(ids, [height, width]);
}

const common = { dataset, segment: guess } satisfies EvaluationOptions;

async function runOf(options: EvaluationOptions): Promise<Evaluation> {
  const evaluation = await openEvaluation(options);
  for await (const { progress } of evaluation) expect(progress.total).toBeGreaterThan(0);
  return evaluation;
}

/** The state but for the time, which no two runs share. */
const timeless = ({ state }: { state: EvaluationState }) => ({ ...state, seconds: 0 });

/** A store in memory that keeps text, as a file would. */
function memoryStore(): EvaluationStore & { text: string | undefined; saves: number } {
  return {
    text: undefined,
    saves: 0,
    async load() {
      return this.text === undefined ? undefined : (JSON.parse(this.text) as unknown);
    },
    async save(state) {
      this.saves++;
      this.text = JSON.stringify(state);
    },
  };
}

describe('Evaluation', () => {
  it('gives each image, its score, and the figures of all', async () => {
    const evaluation = await openEvaluation(common);
    const names: string[] = [];
    for await (const { sample, prediction, score, progress } of evaluation) {
      expect(prediction.shape).toEqual(sample.labels!.shape);
      const truth = sample.labels!;
      let [same, labelled] = [0, 0];
      truth.data.forEach((id, i) => {
        if (id === 255) return;
        labelled++;
        if (prediction.data[i] === id) same++;
      });
      expect(score.aAcc).toBeCloseTo(same / labelled, 12);
      expect(score.index).toBe(names.length);
      names.push(score.name);
      expect([progress.done, progress.total]).toEqual([names.length, 11]);
      expect(progress.mIoU).toBe(evaluation.report().metrics.mIoU);
    }
    expect(names).toEqual(Array.from({ length: 11 }, (_, i) => `ADE_val_${String(i + 1).padStart(8, '0')}`));
    const { images, metrics, perClass } = evaluation.report();
    expect([images, evaluation.complete, perClass.length]).toEqual([11, true, 150]);
    expect(metrics.mIoU).toBeGreaterThan(0);
    expect(metrics.mIoU).toBeLessThan(0.5);
    expect(perClass[0]!.name).toBe('wall');
    expect(perClass[149]).toEqual({ name: 'flag', iou: null, acc: null, pixels: 0 });
    expect(Object.keys(metrics)).toEqual(['aAcc', 'mAcc', 'mIoU', 'mDice']);
  });

  it('tells rate and remaining time of this run', async () => {
    let clock = 1000;
    const segment = (image: RgbImage): NdArray<Uint8Array> => {
      clock += 500;
      return guess(image);
    };
    const store = memoryStore();
    const first = await openEvaluation({ ...common, segment, store, now: () => clock });
    for await (const { progress } of first) {
      expect(progress.imagesPerSecond).toBeCloseTo(2, 12);
      expect(progress.remainingSeconds).toBeCloseTo((11 - progress.done) / 2, 12);
      if (progress.done === 4) break;
    }
    clock += 1e6;
    const second = await openEvaluation({ ...common, segment, store, now: () => clock });
    for await (const { progress } of second) expect(progress.imagesPerSecond).toBeCloseTo(2, 12);
    expect(second.state.seconds).toBeCloseTo(5.5, 12);
  });

  it('gives the counts of one run when shards are merged, in any order, bit for bit', async () => {
    const whole = await runOf({ ...common, limit: 10 });
    for (const count of [2, 3, 12]) {
      const shards = [];
      for (let index = 0; index < count; index++) {
        const { state } = await runOf({ ...common, limit: 10, shard: { index, count } });
        expect(isComplete(state)).toBe(true);
        const source = `shard ${index}`;
        shards.unshift({ source, state: parseEvaluationState(JSON.parse(JSON.stringify(state)), source) });
      }
      const merged = mergeEvaluations(shards);
      expect(timeless({ state: merged })).toEqual(timeless(whole));
      expect(JSON.stringify(evaluationReport(merged))).toBe(JSON.stringify(whole.report()));
    }
  });

  it.each(['abort', 'break', 'failure'])('goes on behind the last image after an %s', async (kind) => {
    const whole = await runOf(common);
    const store = memoryStore();
    const abort = new AbortController();
    let calls = 0;
    const segment = (image: RgbImage): NdArray<Uint8Array> => {
      if (++calls === 6 && kind === 'abort') abort.abort(new Error('enough'));
      if (calls === 6 && kind === 'failure') throw new Error('enough');
      return guess(image);
    };
    const stopped = async (): Promise<void> => {
      for await (const { progress } of await openEvaluation({ ...common, segment, store, signal: abort.signal })) {
        if (kind === 'break' && progress.done === 5) break;
      }
      if (kind === 'break') throw new Error('enough');
    };
    await expect(stopped()).rejects.toThrow('enough');
    const half = parseEvaluationState(await store.load(), 'half');
    expect([half.drawn, half.images.length, isComplete(half)]).toEqual([5, 5, false]);
    const loaded: number[] = [];
    const load = (ref: SampleRef) => {
      loaded.push(ref.index);
      return inProcess({ dataset })(ref);
    };
    const resumed = await runOf({ ...common, load, store });
    expect(loaded).toEqual([5, 6, 7, 8, 9, 10]);
    expect(timeless(resumed)).toEqual(timeless(whole));
    // Once more there is nothing left to do.
    expect(timeless(await runOf({ ...common, store }))).toEqual(timeless(whole));
  });

  it('saves as time passes, so that a crash costs seconds', async () => {
    let clock = 0;
    const store = memoryStore();
    const saves: number[] = [];
    const segment = (image: RgbImage): NdArray<Uint8Array> => {
      clock += 2000;
      return guess(image);
    };
    for await (const { progress } of await openEvaluation({ ...common, segment, store, now: () => clock })) {
      saves.push(store.saves);
      const kept = JSON.parse(store.text!) as EvaluationState;
      expect(kept.drawn).toBe(progress.done - ((progress.done - 1) % 3));
    }
    expect(saves).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4]);
    expect(store.saves).toBe(5);
  });

  it('refuses a state of another run, and says what differs', async () => {
    const store = memoryStore();
    const run = { model: 'T', protocol: 'ss' };
    await runOf({ ...common, run, store, shard: { index: 0, count: 2 } });
    const open = (options: Partial<EvaluationOptions>) =>
      expect(openEvaluation({ ...common, run, store, shard: { index: 0, count: 2 }, ...options })).rejects;
    await open({ run: { ...run, protocol: 'ms-flip' } }).toThrow(/protocol is ss in one and ms-flip in the other/);
    await open({ run: { model: 'T' } }).toThrow(/protocol is ss in one and not given in the other/);
    await open({ limit: 5 }).toThrow(/number of entries is 11 in one and 5 in the other/);
    await open({ shard: { index: 1, count: 2 } }).toThrow(/it is shard 1, not 2/);
    await open({ shard: { index: 0, count: 3 } }).toThrow(/number of shards is 2/);
    await open({ shard: { index: 2, count: 2 } }).toThrow(/index 2 of 2/);
  });
});

describe('unusable entries', () => {
  const files = {
    'images/a.jpg': photo(1, 2),
    'annotations/a.png': annotation(1, 2, [1, 2]),
    'images/b.jpg': photo(1, 2).subarray(0, 5),
    'annotations/b.png': annotation(1, 2, [1, 1]),
    'images/c.jpg': photo(1, 2),
    'annotations/c.png': annotation(1, 2, [1, 4]),
    'images/d.jpg': photo(1, 2),
    'images/e.jpg': photo(1, 2),
    'annotations/e.png': annotation(1, 2, [0, 3]),
  };
  const open = () =>
    openDataset({
      ...memoryAccess(files),
      ...{ images: 'images', annotations: 'annotations', classNames: ['x', 'y', 'z'], labels: 'ade20k' },
    });
  const segment = (): NdArray<Uint8Array> => ndarray(Uint8Array.of(0, 2), [1, 2]);

  it('end the run with an error that names the file, or are left out and recorded', async () => {
    const data = await open();
    const strict = openEvaluation({ dataset: data, segment });
    const error = await runOf({ dataset: data, segment }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(SampleError);
    expect((error as SampleError).message).toBe('mem:images/b.jpg is truncated or corrupt');
    expect((await strict).complete).toBe(false);

    const told: string[] = [];
    const onSkip = ({ message }: { message: string }) => void told.push(message);
    const lenient = await runOf({ dataset: data, segment, onError: 'skip', onSkip });
    const { images, skipped, drawn } = lenient.state;
    expect(told).toEqual([
      'mem:images/b.jpg is truncated or corrupt',
      'mem:annotations/c.png has label 4 (1 pixel); expected 1 to 3, or 0 where unlabelled',
      expect.stringMatching(/^no annotation for mem:images\/d\.jpg/),
    ]);
    expect(skipped.map(({ index, message }) => [index, message])).toEqual(told.map((text, i) => [i + 1, text]));
    expect([images.map(({ name }) => name), drawn, lenient.complete]).toEqual([['a', 'e'], 5, true]);
    // Of a: 0 is right, 1 is taken for 2; of e only the second pixel counts, and is right.
    expect(lenient.report()).toEqual({
      images: 2,
      metrics: { aAcc: 2 / 3, mAcc: 2 / 3, mIoU: 0.5, mDice: (1 + 0 + 2 / 3) / 3 },
      perClass: [
        { name: 'x', iou: 1, acc: 1, pixels: 1 },
        { name: 'y', iou: 0, acc: 0, pixels: 1 },
        { name: 'z', iou: 0.5, acc: 1, pixels: 1 },
      ],
    });
  });

  it('a data set without annotations, and predictions of another size, are refused', async () => {
    const bare = await openDataset({
      ...memoryAccess({ 'images/a.jpg': photo(1, 2) }),
      ...{ images: 'images', classNames: ['x'], labels: 'raw' },
    });
    await expect(runOf({ dataset: bare, segment })).rejects.toThrow('needs a data set with annotations');
    const wide = (): NdArray<Uint8Array> => ndarray(new Uint8Array(3), [1, 3]);
    await expect(runOf({ ...common, segment: wide })).rejects.toThrow(/the prediction is \[1, 3\].*\[12, 16\]/);
  });
});

describe('stored states', () => {
  it('are checked', async () => {
    const { state } = await runOf({ ...common, limit: 2 });
    const parse = (change: object) => () => parseEvaluationState({ ...state, ...change }, 'a.json');
    expect(parse({})()).toEqual(state);
    expect(() => parseEvaluationState(undefined, 'a.json')).toThrow(/^a.json is not a stored evaluation/);
    expect(parse({ format: 'ii-confusion-matrix' })).toThrow(/^a.json is not a stored evaluation/);
    expect(parse({ version: 2 })).toThrow(/version 2; this program reads version 1/);
    expect(parse({ drawn: 3 })).toThrow(/damaged/);
    expect(parse({ drawn: 1 })).toThrow(/damaged/);
    expect(parse({ shard: { index: 1, count: 1 } })).toThrow(/damaged/);
    expect(parse({ images: [{}, {}] })).toThrow(/damaged/);
    expect(parse({ matrix: { ...state.matrix, counts: [] } })).toThrow(/^the matrix in a.json.*incomplete/);
    expect(parse({ classNames: ['x'] })).toThrow('a.json names 1 classes and counts 150');
  });

  it('are merged only if they are all shards of one evaluation', async () => {
    const shard = async (index: number, count: number, run = {}) => ({
      source: `${index + 1}.json`,
      state: (await runOf({ ...common, run, shard: { index, count } })).state,
    });
    const [a, b, c] = [await shard(0, 3), await shard(1, 3), await shard(2, 3)];
    expect(mergeEvaluations([c, a, b]).images.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const refused = (...shards: (typeof a)[]) => expect(() => mergeEvaluations(shards));
    refused().toThrow(EvaluationError);
    refused(a, c).toThrow('1 of 3 shards missing: 2/3');
    refused(a, b, c, b).toThrow('2.json and 2.json are both shard 2/3');
    refused(a, await shard(1, 2)).toThrow(/1.json and 2.json are not of one evaluation: number of shards is 3/);
    refused(a, await shard(1, 3, { seed: 1 })).toThrow(/seed is not given in one and 1 in the other/);
    const unfinished = {
      source: 'u.json',
      state: (await openEvaluation({ ...common, shard: { index: 1, count: 3 } })).state,
    };
    refused(a, unfinished, c).toThrow('u.json is not finished: shard 2/3 has 0 of 4 images; resume it first');
  });
});
