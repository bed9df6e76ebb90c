import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ndarray, { type NdArray } from 'ndarray';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { legend, resizeLinear } from '@ii/tensor/image';
import {
  ADE20K_CLASS_NAMES,
  ADE20K_PALETTE,
  IMAGENET_MEAN,
  IMAGENET_STD,
  inferenceTransform,
  reduceZeroLabel,
} from '../src/index.js';

interface Sample {
  readonly id: string;
  readonly wh: [number, number];
  readonly resized_wh: [number, number];
  readonly multiple32_wh: [number, number];
  readonly sha256: Record<
    'decoded_rgb' | 'resized_rgb' | 'multiple32_rgb' | 'normalized_f32' | 'annotation_raw',
    string
  >;
  readonly annotation: { readonly histogram: Record<string, number> };
}

const folder = new URL('fixtures/ade20k-sample/', import.meta.url);
const samples = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as Sample[];
const sha256 = (view: Uint8Array | Float32Array): string =>
  createHash('sha256')
    .update(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
    .digest('hex');
const flip = ([width, height]: [number, number]): [number, number] => [height, width];

async function photoOf({ id }: Sample): Promise<NdArray<Uint8Array>> {
  const { data, info } = await sharp(fileURLToPath(new URL(`${id}.jpg`, folder)))
    .raw()
    .toBuffer({ resolveWithObject: true });
  return ndarray(new Uint8Array(data), [info.height, info.width, 3]);
}

async function annotationOf({ id }: Sample): Promise<NdArray<Uint8Array>> {
  const { data, info } = await sharp(fileURLToPath(new URL(`${id}.png`, folder)))
    .toColourspace('b-w')
    .raw()
    .toBuffer({ resolveWithObject: true });
  return ndarray(new Uint8Array(data), [info.height, info.width]);
}

describe.each(samples)('$id', (sample) => {
  it('goes through every step of the test pipeline to the reference bytes', async () => {
    const photo = await photoOf(sample);
    expect(sha256(photo.data)).toBe(sample.sha256.decoded_rgb);
    const resized = resizeLinear(photo, flip(sample.resized_wh));
    expect(sha256(resized.data)).toBe(sample.sha256.resized_rgb);
    expect(sha256(resizeLinear(resized, flip(sample.multiple32_wh)).data)).toBe(sample.sha256.multiple32_rgb);

    const result = inferenceTransform(photo, {
      scale: [2048, 512],
      divisor: 32,
      mean: IMAGENET_MEAN,
      std: IMAGENET_STD,
    });
    expect(sha256(result.input.data)).toBe(sample.sha256.normalized_f32);
    expect(result.originalSize).toEqual(flip(sample.wh));
    expect(result.resizedSize).toEqual(flip(sample.resized_wh));
    expect(result.inputSize).toEqual(flip(sample.multiple32_wh));
    expect(result.input.shape).toEqual([...result.inputSize, 3]);
    expect(sha256(inferenceTransform(photo).input.data)).toBe(sample.sha256.normalized_f32);
  });

  it('reduces its annotation to the classes counted in it', async () => {
    const annotation = await annotationOf(sample);
    expect(sha256(annotation.data)).toBe(sample.sha256.annotation_raw);
    const { entries, unlabelled } = legend(reduceZeroLabel(annotation), ADE20K_CLASS_NAMES, ADE20K_PALETTE);
    const { 0: none = 0, ...classes } = sample.annotation.histogram;
    expect(Object.fromEntries(entries.map(({ id, pixels }) => [id + 1, pixels]))).toEqual(classes);
    expect(unlabelled).toBeCloseTo(none / annotation.size, 15);
  });
});

describe('inferenceTransform', () => {
  it('uses the larger scales of L and H', () => {
    const photo = ndarray(new Uint8Array(640 * 480 * 3), [480, 640, 3]);
    expect(inferenceTransform(photo, { scale: [2560, 640] }).inputSize).toEqual([640, 864]);
    expect(inferenceTransform(photo, { scale: [3584, 896] }).inputSize).toEqual([896, 1216]);
  });

  it('refuses what is no photo', () => {
    expect(() => inferenceTransform(ndarray(new Uint8Array(4), [2, 2]))).toThrow(/RGB image \[H, W, 3\], got \[2, 2\]/);
  });
});

describe('reduceZeroLabel', () => {
  it('maps all 256 values, from any layout', () => {
    const all = ndarray(
      Uint8Array.from({ length: 256 }, (_, value) => value),
      [16, 16],
    );
    const reduced = reduceZeroLabel(all);
    expect(reduced.get(0, 0)).toBe(255);
    expect(reduced.get(15, 15)).toBe(255);
    for (let value = 1; value < 255; value++) expect(reduced.data[value]).toBe(value - 1);
    expect(reduceZeroLabel(all.transpose(1, 0)).get(3, 2)).toBe(2 * 16 + 3 - 1);
    expect(all.get(0, 0)).toBe(0);
  });
});
