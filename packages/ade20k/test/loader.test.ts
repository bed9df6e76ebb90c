import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import {
  drawRectangles,
  inProcess,
  loadBatches,
  loadSamples,
  openAde20k,
  packSample,
  SampleError,
  sequentialSampler,
  shuffledSampler,
  stackSamples,
  syntheticAde20k,
  trainTransforms,
  type BatchLoaderOptions,
  type LoadedBatch,
  type Sample,
  type SampleRef,
} from '../src/index.js';
import { coordinateSample, valuesOf } from './support.js';

/** A sample whose single pixel says which it is. */
function tiny({ index }: SampleRef): Sample {
  return {
    name: `entry ${index}`,
    image: ndarray(Uint8Array.of(index, 0, 0), [1, 1, 3]),
    labels: ndarray(Uint8Array.of(index), [1, 1]),
    originalSize: [1, 1],
  };
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function collect<T>(items: AsyncIterable<T>, count = Infinity): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) {
    all.push(item);
    if (all.length >= count) break;
  }
  return all;
}

const namesOf = (batches: readonly LoadedBatch[]): string[][] => batches.map(({ names }) => [...names]);

describe('loadSamples', () => {
  it('keeps the order, whatever the time each takes, and never loads more than asked ahead', async () => {
    let active = 0;
    let most = 0;
    const load = async (ref: SampleRef): Promise<Sample> => {
      most = Math.max(most, ++active);
      await wait((ref.index * 7) % 5);
      active--;
      return tiny(ref);
    };
    const loaded = await collect(loadSamples({ sampler: sequentialSampler(30), load, prefetch: 4 }));
    expect(loaded.map(({ sample }) => sample.name)).toEqual(Array.from({ length: 30 }, (_, i) => `entry ${i}`));
    expect(most).toBe(4);
  });

  it('counts loaded samples that wait as well', async () => {
    let started = 0;
    const load = async (ref: SampleRef): Promise<Sample> => {
      started++;
      return tiny(ref);
    };
    const samples = loadSamples({ sampler: shuffledSampler(10), load, prefetch: 5 });
    await samples.next();
    await wait(5);
    expect(started).toBe(6);
    await samples.next();
    await wait(5);
    expect(started).toBe(7);
    await samples.return();
    expect(started).toBe(7);
  });

  it('throws the error of the sample whose turn it is', async () => {
    const load = async (ref: SampleRef): Promise<Sample> => {
      if (ref.index === 2) throw new SampleError('bad 2', '2.png');
      if (ref.index === 3) throw new SampleError('bad 3', '3.png');
      await wait(3);
      return tiny(ref);
    };
    const seen: string[] = [];
    const run = (async () => {
      for await (const { sample } of loadSamples({ sampler: sequentialSampler(9), load })) seen.push(sample.name);
    })();
    await expect(run).rejects.toThrow('bad 2');
    expect(seen).toEqual(['entry 0', 'entry 1']);
  });

  it('skips unusable entries, but no other error, and not for ever', async () => {
    const failing = (bad: (index: number) => boolean, error: (index: number) => Error) => async (ref: SampleRef) => {
      if (bad(ref.index)) throw error(ref.index);
      return tiny(ref);
    };
    const unusable = (index: number): Error => new SampleError(`bad ${index}`, `${index}.png`);
    const skipped: string[] = [];
    const odd = await collect(
      loadSamples({
        sampler: sequentialSampler(7),
        load: failing((index) => index % 2 === 0, unusable),
        onError: 'skip',
        onSkip: (error, ref) => skipped.push(`${error.file} ${ref.index}`),
      }),
    );
    expect(odd.map(({ ref }) => ref.index)).toEqual([1, 3, 5]);
    expect(skipped).toEqual(['0.png 0', '2.png 2', '4.png 4', '6.png 6']);
    const all = (error: (index: number) => Error) =>
      collect(
        loadSamples({
          ...{ sampler: shuffledSampler(5), load: failing(() => true, error), onError: 'skip', maxSkips: 12 },
        }),
      );
    await expect(all(unusable)).rejects.toThrow(/^12 unusable entries in a row, the last: bad \d$/);
    await expect(all(() => new TypeError('a bug'))).rejects.toThrow('a bug');
  });

  it('ends at once when aborted, even while a sample hangs', async () => {
    const controller = new AbortController();
    const reason = new Error('stopped by the user');
    const load = (ref: SampleRef): Promise<Sample> =>
      ref.index === 2 ? new Promise(() => undefined) : Promise.resolve(tiny(ref));
    const seen: string[] = [];
    const run = (async () => {
      const { signal } = controller;
      for await (const { sample } of loadSamples({ sampler: sequentialSampler(9), load, signal }))
        seen.push(sample.name);
    })();
    setTimeout(() => controller.abort(reason), 10);
    await expect(run).rejects.toBe(reason);
    expect(seen).toEqual(['entry 0', 'entry 1']);
    const { signal } = controller;
    const late = loadSamples({ sampler: sequentialSampler(9), load: async (ref) => tiny(ref), signal });
    await expect(late.next()).rejects.toBe(reason);
  });
});

describe('loadBatches', () => {
  const options = (extra: Partial<BatchLoaderOptions>): BatchLoaderOptions => ({
    ...{ sampler: sequentialSampler(7), load: async (ref: SampleRef) => tiny(ref), batchSize: 3 },
    ...extra,
  });

  it('stacks samples in order, and says where to go on', async () => {
    const batches = await collect(loadBatches(options({})));
    expect(batches.map(({ images }) => images.shape)).toEqual([
      [3, 1, 1, 3],
      [3, 1, 1, 3],
      [1, 1, 1, 3],
    ]);
    expect(batches.map(({ labels }) => [...labels!.data])).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    expect(batches.map(({ drawn }) => drawn)).toEqual([3, 6, 7]);
    expect(await collect(loadBatches(options({ dropLast: true })))).toHaveLength(2);
    const rest = await collect(loadBatches(options({ sampler: sequentialSampler(7, { drawn: batches[0]!.drawn }) })));
    expect(namesOf(rest)).toEqual(namesOf(batches.slice(1)));
  });

  it('fills the place of a skipped entry with the next', async () => {
    const load = async (ref: SampleRef): Promise<Sample> => {
      if (ref.index === 1 || ref.index === 4) throw new SampleError('bad', `${ref.index}.png`);
      return tiny(ref);
    };
    const batches = await collect(loadBatches(options({ load, onError: 'skip', batchSize: 2 })));
    expect(namesOf(batches)).toEqual([['entry 0', 'entry 2'], ['entry 3', 'entry 5'], ['entry 6']]);
    expect(batches.map(({ drawn }) => drawn)).toEqual([3, 6, 7]);
  });

  it('gives the same batches for any prefetch and any timing, and goes on where it was', async () => {
    const dataset = await openAde20k(
      syntheticAde20k({ count: 11, size: [48, 64], draw: drawRectangles(150) }),
      'training',
    );
    const plain = inProcess({ dataset, transforms: trainTransforms({ scale: [64, 32], crop: [24, 24] }), seed: 4 });
    const slow = async (ref: SampleRef): Promise<Sample> => {
      await wait((ref.index * 5) % 4);
      return plain(ref);
    };
    const run = (load: typeof plain, prefetch: number, drawn = 0): Promise<LoadedBatch[]> =>
      collect(loadBatches({ sampler: shuffledSampler(11, { seed: 4, drawn }), load, prefetch, batchSize: 4 }), 6);
    const expected = await run(plain, 1);
    expect(expected.map(({ epoch }) => epoch)).toEqual([0, 0, 1, 1, 1, 2]);
    expect(expected[0]!.images.data).toBeInstanceOf(Float32Array);
    expect(await run(slow, 9)).toEqual(expected);
    const resumed = await run(slow, 3, expected[2]!.drawn);
    expect(resumed.slice(0, 3)).toEqual(expected.slice(3));
    // An entry looks different in another epoch.
    const first = expected[0]!.names[0]!;
    const again = expected.slice(2).find(({ names }) => names.includes(first))!;
    const image = ({ images, names }: LoadedBatch) => {
      const at = names.indexOf(first) * 24 * 24 * 3;
      return [...images.data.subarray(at, at + 24 * 24 * 3)];
    };
    expect(image(again)).not.toEqual(image(expected[0]!));
  });

  it('needs samples of one kind, and says which is odd', () => {
    const a = coordinateSample(2, 3);
    const { labels: _, ...bare } = coordinateSample(2, 3);
    expect(() => stackSamples([a, coordinateSample(3, 2)])).toThrow(
      '3 by 2 is 3 × 2 uint8 with labels and 2 by 3 is 2 × 3 uint8 with labels',
    );
    expect(() => stackSamples([a, bare])).toThrow('3 × 2 uint8 without labels');
    expect(() => stackSamples([])).toThrow('at least one sample');
    expect(stackSamples([bare]).labels).toBeUndefined();
  });

  it('refuses a batch size of nothing', async () => {
    await expect(collect(loadBatches(options({ batchSize: 0 })))).rejects.toThrow('batch size of at least 1, got 0');
  });
});

describe('packSample', () => {
  it('copies views only', () => {
    const sample = coordinateSample(3, 4);
    expect(packSample(sample).image).toBe(sample.image);
    const view = { ...sample, image: sample.image.step(1, -1), labels: sample.labels.lo(1, 1).hi(2, 2) };
    const packed = packSample(view);
    expect(valuesOf(packed.image)).toEqual(valuesOf(view.image));
    expect([...packed.image.data]).toEqual(valuesOf(view.image));
    expect([...packed.labels!.data]).toEqual(valuesOf(view.labels));
    expect(packed.labels!.data.buffer.byteLength).toBe(4);
  });
});

it('goes through 20,000 pairs and holds none of them', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const access = syntheticAde20k({ count: 20_000, size: [12, 16], draw: drawRectangles(150) });
  const dataset = await openAde20k(access, 'training');
  const plain = inProcess({ dataset, transforms: trainTransforms({ scale: [24, 12], crop: [12, 12] }) });
  const made: WeakRef<object>[] = [];
  const load = async (ref: SampleRef): Promise<Sample> => {
    const sample = await plain(ref);
    made.push(new WeakRef(sample), new WeakRef(sample.image.data));
    return sample;
  };
  const alive: number[] = [];
  let samples = 0;
  const { signal } = new AbortController();
  for await (const batch of loadBatches({ sampler: sequentialSampler(20_000), load, batchSize: 16, signal })) {
    samples += batch.names.length;
    made.push(new WeakRef(batch), new WeakRef(batch.images.data));
    if (samples % 4000 !== 0) continue;
    // Weak references are cleared between turns of the event loop only.
    await wait(0);
    collectGarbage();
    alive.push(made.filter((reference) => reference.deref() !== undefined).length);
  }
  expect(samples).toBe(20_000);
  expect(made).toHaveLength(2 * 20_000 + 2 * 1250);
  expect(alive).toHaveLength(5);
  // What is prefetched, the batch at hand and the one before it: some dozens, and no more of them at the end.
  expect(Math.max(...alive)).toBeLessThan(200);
});
