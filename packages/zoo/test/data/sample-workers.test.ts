import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  inProcess,
  loadBatches,
  SampleError,
  shuffledSampler,
  trainTransforms,
  type LoadedBatch,
  type SampleRef,
  type SegmentationDataset,
} from '@ii/ade20k';
import { openAde20kFolder, startSampleWorkers, type SampleWorkersOptions } from '../../src/data/index.js';
import { buildWorker, laySamplesOut, put, samples, temporaryFolder } from './support.js';

let root: string;
let dataset: SegmentationDataset;
let workerUrl: URL;
beforeAll(async () => {
  root = await temporaryFolder();
  await laySamplesOut(root);
  dataset = await openAde20kFolder(root, 'validation');
  workerUrl = await buildWorker();
});
afterAll(() => rm(root, { recursive: true }));

const transforms = trainTransforms({ scale: [512, 128], crop: [96, 96] });
const options = (extra: Partial<SampleWorkersOptions> = {}): SampleWorkersOptions => ({
  ...{ root, dataset, transforms, seed: 3, workerUrl },
  ...extra,
});

/** The pixels as a hash: comparing millions of numbers one by one takes long. */
const hashed = ({ data }: { readonly data: Uint8Array | Float32Array }): string =>
  createHash('sha256')
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest('hex');
const summary = ({ images, labels, ...rest }: LoadedBatch): object => ({
  ...{ ...rest, shape: images.shape, dtype: images.dtype, images: hashed(images), labels: hashed(labels!) },
});

async function batches(load: ReturnType<typeof inProcess>, prefetch: number): Promise<LoadedBatch[]> {
  const all: LoadedBatch[] = [];
  const sampler = shuffledSampler(dataset.length, { seed: 3 });
  for await (const batch of loadBatches({ sampler, load, prefetch, batchSize: 4 })) {
    all.push(batch);
    if (all.length === 3) break;
  }
  return all;
}

describe('startSampleWorkers', () => {
  it('gives the same batches as this thread, with any number of workers', async () => {
    const expected = await batches(inProcess({ dataset, transforms, seed: 3 }), 1);
    expect(expected.map(({ images }) => images.shape)).toEqual([0, 1, 2].map(() => [4, 96, 96, 3]));
    for (const workers of [1, 2]) {
      const pool = startSampleWorkers(options({ workers }));
      expect((await batches(pool.load, 2 * workers + 1)).map(summary)).toEqual(expected.map(summary));
      await pool.close();
    }
  });

  it('gives whole photos without transforms', async () => {
    const pool = startSampleWorkers(options({ workers: 1, transforms: [] }));
    const ref: SampleRef = { index: 2, epoch: 0, drawn: 1 };
    const [there, here] = await Promise.all([pool.load(ref), dataset.load(2)]);
    expect([there.name, there.originalSize, there.image.shape]).toEqual([
      'ADE_val_00000003',
      [300, 400],
      [300, 400, 3],
    ]);
    expect([hashed(there.image), hashed(there.labels!)]).toEqual([hashed(here.image), hashed(here.labels!)]);
    await pool.close();
  });

  it('names a truncated photo in the middle of a run, and goes on where told to', async () => {
    const jpeg = await readFile(join(samples, 'ADE_val_00000001.jpg'));
    const mask = await readFile(join(samples, 'ADE_val_00000001.png'));
    const file = 'images/validation/ADE_val_00000000.jpg';
    await put(root, { [file]: jpeg.subarray(0, 20_000), 'annotations/validation/ADE_val_00000000.png': mask });
    const broken = await openAde20kFolder(root, 'validation');
    const pool = startSampleWorkers(options({ dataset: broken, workers: 2 }));
    const run = async (onError: 'throw' | 'skip'): Promise<[string[], SampleError[]]> => {
      const names: string[] = [];
      const skipped: SampleError[] = [];
      const sampler = shuffledSampler(4, { seed: 1 });
      const onSkip = (error: SampleError): number => skipped.push(error);
      for await (const batch of loadBatches({ sampler, load: pool.load, batchSize: 2, onError, onSkip })) {
        names.push(...batch.names);
        if (names.length >= 12) break;
      }
      return [names, skipped];
    };
    await expect(run('throw')).rejects.toBeInstanceOf(SampleError);
    await expect(run('throw')).rejects.toThrow(`${join(root, file)} is truncated or corrupt`);
    const [names, skipped] = await run('skip');
    expect(names).toHaveLength(12);
    expect(names).not.toContain('ADE_val_00000000');
    expect(skipped.length).toBeGreaterThanOrEqual(3);
    expect(new Set(skipped.map((error) => error.file))).toEqual(new Set([join(root, file)]));
    await pool.close();
    await rm(join(root, file));
    await rm(join(root, 'annotations/validation/ADE_val_00000000.png'));
  });

  it('passes on errors of other kinds with their code, and refuses wrong transforms at once', async () => {
    const pool = startSampleWorkers(options({ workers: 1, transforms: [{ type: 'pad', size: [8, 8] }] }));
    await expect(pool.load({ index: 0, epoch: 0, drawn: 1 })).rejects.toMatchObject({
      code: 'ERR_SHAPE',
      message: expect.stringContaining('pad: ADE_val_00000001 is 683 × 512 pixels') as string,
    });
    await pool.close();
    const wrong = [{ type: 'pad' as const, size: [0, 8] as const }];
    expect(() => startSampleWorkers(options({ transforms: wrong }))).toThrow("transforms[0] (pad): 'size'");
  });

  it('stops when aborted, and its threads when closed', async () => {
    const pool = startSampleWorkers(options({ workers: 2 }));
    const controller = new AbortController();
    const { signal } = controller;
    const run = (async () => {
      const sampler = shuffledSampler(dataset.length);
      for await (const _ of loadBatches({ sampler, load: pool.load, batchSize: 2, signal })) {
        controller.abort(new Error('stop'));
      }
    })();
    await expect(run).rejects.toThrow('stop');
    await pool.close();
    await expect(pool.load({ index: 0, epoch: 0, drawn: 1 })).rejects.toThrow('were closed');
  });
});
