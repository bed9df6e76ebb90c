import { describe, expect, it } from 'vitest';
import {
  ADE20K_CLASS_NAMES,
  DatasetError,
  openAde20k,
  openDataset,
  SampleError,
  type DatasetReport,
} from '../src/index.js';
import { annotation, memoryAccess, photo, valuesOf } from './support.js';

const good = {
  'images/validation/ADE_val_2.jpg': photo(2, 3),
  'images/validation/ADE_val_1.jpg': photo(1, 2),
  'images/validation/.DS_Store': Uint8Array.of(0),
  'annotations/validation/ADE_val_1.png': annotation(1, 2, [0, 150]),
  'annotations/validation/ADE_val_2.png': annotation(2, 3, [1, 1, 2, 255, 0, 149]),
};

describe('openAde20k', () => {
  it('lists pairs by name and reduces their labels', async () => {
    const dataset = await openAde20k(memoryAccess(good), 'validation');
    expect(dataset.length).toBe(2);
    expect(dataset.classNames).toBe(ADE20K_CLASS_NAMES);
    expect(dataset.pair(0)).toEqual({
      name: 'ADE_val_1',
      image: 'images/validation/ADE_val_1.jpg',
      annotation: 'annotations/validation/ADE_val_1.png',
    });
    const first = await dataset.load(0);
    expect([first.name, first.originalSize, valuesOf(first.labels!)]).toEqual(['ADE_val_1', [1, 2], [255, 149]]);
    const second = await dataset.load(1);
    expect(second.image.shape).toEqual([2, 3, 3]);
    expect(valuesOf(second.image)).toEqual(Array.from({ length: 18 }, (_, i) => i));
    expect(valuesOf(second.labels!)).toEqual([0, 0, 1, 255, 255, 148]);
    expect(() => dataset.pair(2)).toThrow(RangeError);
  });

  it('finds the folder of the archive', async () => {
    const files = Object.fromEntries(Object.entries(good).map(([k, v]) => [`ADEChallengeData2016/${k}`, v]));
    const dataset = await openAde20k(memoryAccess(files), 'validation');
    expect(dataset.pair(1).image).toBe('ADEChallengeData2016/images/validation/ADE_val_2.jpg');
  });

  it('refuses missing and empty folders by name', async () => {
    const open = (files: Record<string, Uint8Array>) => openAde20k(memoryAccess(files), 'validation');
    await expect(open({})).rejects.toThrow('no folder mem:images/validation for the photos');
    await expect(open({ 'images/validation/': photo(1, 1) })).rejects.toThrow(
      "no photos in mem:images/validation: expected files ending in '.jpg'",
    );
    await expect(open({ 'images/validation/a.jpg': photo(1, 1) })).rejects.toThrow(
      'no folder mem:annotations/validation for the annotations',
    );
    await expect(open({})).rejects.toBeInstanceOf(DatasetError);
  });
});

describe('a data set of one’s own', () => {
  const layout = { images: 'photos', annotations: 'masks', classNames: ['road', 'car'] } as const;

  it('takes labels as they are, other suffixes, and photos alone', async () => {
    const files = {
      'photos/b_leftImg.PNG': photo(1, 3),
      'photos/a_leftImg.PNG': photo(1, 3),
      'photos/notes.txt': Uint8Array.of(1),
      'masks/a_ids.png': annotation(1, 3, [0, 1, 255]),
      'masks/b_ids.png': annotation(1, 3, [1, 1, 1]),
    };
    const suffixes = { imageSuffix: '_leftImg.PNG', annotationSuffix: '_ids.png' };
    const dataset = await openDataset({ ...memoryAccess(files), ...layout, ...suffixes, labels: 'raw' });
    expect(dataset.length).toBe(2);
    expect(valuesOf((await dataset.load(0)).labels!)).toEqual([0, 1, 255]);
    const { images, classNames } = layout;
    const photos = await openDataset({ ...memoryAccess(files), images, classNames, labels: 'raw' });
    const sample = await photos.load(1);
    expect(sample.name).toBe('b_leftImg');
    expect(sample.labels).toBeUndefined();
  });

  it('wants the label convention said, and classes that fit a byte', async () => {
    const open = (options: object) =>
      openDataset({ ...memoryAccess({ 'photos/a.jpg': photo(1, 1) }), ...layout, labels: 'raw', ...options });
    await expect(open({ labels: undefined })).rejects.toThrow(/labels must be 'ade20k'.* or 'raw'.*got 'undefined'/);
    await expect(open({ classNames: [] })).rejects.toThrow(/1 to 255 classes, got 0/);
  });
});

const bad = {
  ...good,
  'images/validation/ADE_val_3.jpg': photo(2, 2),
  'images/validation/ADE_val_4.jpg': photo(2, 2),
  'annotations/validation/ADE_val_4.png': annotation(2, 1, [7, 7]),
  'images/validation/ADE_val_5.jpg': photo(2, 2),
  'annotations/validation/ADE_val_5.png': annotation(2, 2, [151, 7, 151, 152]),
  'images/validation/ADE_val_6.jpg': photo(2, 2).slice(0, 9),
  'annotations/validation/ADE_val_6.png': annotation(2, 2, [7, 7, 7, 7]),
  'images/validation/ADE_val_7.jpg': photo(2, 2),
  'annotations/validation/ADE_val_7.png': annotation(2, 2, [7]),
  'annotations/validation/ADE_val_8.png': annotation(1, 1, [7]),
};

describe('bad data', () => {
  it('is named when it is loaded', async () => {
    const dataset = await openAde20k(memoryAccess(bad), 'validation');
    expect(dataset.missingAnnotations).toEqual(['mem:images/validation/ADE_val_3.jpg']);
    const load = (index: number) => dataset.load(index).catch((error: unknown) => error as SampleError);
    const errors = await Promise.all([2, 3, 4, 5, 6].map(load));
    expect(errors.every((error) => error instanceof SampleError)).toBe(true);
    expect(errors.map((error) => [(error as SampleError).file, (error as SampleError).message])).toEqual([
      [
        'mem:annotations/validation/ADE_val_3.png',
        'no annotation for mem:images/validation/ADE_val_3.jpg: cannot read mem:annotations/validation/ADE_val_3.png (no such file: mem:annotations/validation/ADE_val_3.png)',
      ],
      [
        'mem:annotations/validation/ADE_val_4.png',
        'mem:annotations/validation/ADE_val_4.png is 1 × 2 pixels, but its photo mem:images/validation/ADE_val_4.jpg is 2 × 2',
      ],
      [
        'mem:annotations/validation/ADE_val_5.png',
        'mem:annotations/validation/ADE_val_5.png has labels 151 (2 pixels), 152 (1 pixel); expected 1 to 150, or 0 where unlabelled',
      ],
      ['mem:images/validation/ADE_val_6.jpg', 'mem:images/validation/ADE_val_6.jpg is truncated or corrupt'],
      ['mem:annotations/validation/ADE_val_7.png', 'mem:annotations/validation/ADE_val_7.png is truncated or corrupt'],
    ]);
  });

  it('is reported by validate, with what is there', async () => {
    const dataset = await openAde20k(memoryAccess(bad), 'validation');
    const seen: string[] = [];
    const report = await dataset.validate({
      photos: 'decode',
      concurrency: 3,
      onProgress: ({ done, total, file }) => seen.push(`${done}/${total} ${file.slice(-5, -4)}`),
    });
    expect(report.issues.map(({ kind, file }) => `${kind} ${file.replace('mem:', '')}`)).toEqual([
      'missing-annotation images/validation/ADE_val_3.jpg',
      'size-mismatch annotations/validation/ADE_val_4.png',
      'label-out-of-range annotations/validation/ADE_val_5.png',
      'unreadable images/validation/ADE_val_6.jpg',
      'unreadable annotations/validation/ADE_val_7.png',
      'missing-image annotations/validation/ADE_val_8.png',
    ]);
    expect(report.issues.every(({ file, message }) => message.includes(file))).toBe(true);
    const count = ({ classes }: DatasetReport, id: number) => [classes[id]!.pixels, classes[id]!.images];
    // Files 1, 2, 4, 5 and 6 can be counted: 2 + 6 + 2 + 4 + 4 pixels, of which 0, 255 and 0 are ignored.
    expect(report).toMatchObject({ valid: false, images: 7, annotations: 5, pixels: 18, ignoredPixels: 3 });
    expect(report.ignoredShare).toBe(3 / 18);
    expect(report.outOfRangePixels).toBe(3);
    expect([0, 1, 6, 148, 149].map((id) => count(report, id))).toEqual([
      [2, 1],
      [1, 1],
      [7, 3],
      [1, 1],
      [1, 1],
    ]);
    expect(report.classes.reduce((sum, { pixels }) => sum + pixels, 0)).toBe(18 - 3 - 3);
    expect(seen.map((line) => line.split(' ')[0])).toEqual([1, 2, 3, 4, 5, 6, 7].map((n) => `${n}/7`));
    expect(seen.map((line) => line.split(' ')[1]).sort()).toEqual(['1', '2', '3', '4', '5', '6', '7']);
  });

  it('a truncated photo is not found by its header alone; good data is valid', async () => {
    const dataset = await openAde20k(memoryAccess(bad), 'validation');
    expect((await dataset.validate()).issues.map(({ file }) => file.slice(-5, -4))).toEqual(['3', '4', '5', '7', '8']);
    const valid = await (await openAde20k(memoryAccess(good), 'validation')).validate();
    expect(valid).toMatchObject({ valid: true, issues: [], ignoredPixels: 3, pixels: 8 });
  });

  it('stops validating when told to', async () => {
    const dataset = await openAde20k(memoryAccess(bad), 'validation');
    const controller = new AbortController();
    const seen: number[] = [];
    const run = dataset.validate({
      signal: controller.signal,
      concurrency: 1,
      onProgress: ({ done }) => {
        seen.push(done);
        if (done === 2) controller.abort(new Error('enough'));
      },
    });
    await expect(run).rejects.toThrow('enough');
    expect(seen).toEqual([1, 2]);
  });
});
