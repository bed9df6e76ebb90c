import * as fc from 'fast-check';
import ndarray, { type NdArray } from 'ndarray';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadGolden, type GoldenFile } from '@ii/tensor/testing';
import { ConfusionMatrix, reduceZeroLabel, segmentationMetrics, segmentationReport } from '../src/index.js';

type LabelMap = NdArray<Uint8Array>;
const map = (values: ArrayLike<number>, height: number, width: number): LabelMap =>
  ndarray(Uint8Array.from(values), [height, width]);

let golden: GoldenFile;
beforeAll(async () => {
  golden = await loadGolden(new URL('fixtures/golden/metrics.json', import.meta.url));
});

/** The pairs (prediction, label) of a golden case. */
function imagesOf(id: string): [LabelMap, LabelMap][] {
  const { data: pred, shape } = golden.case(id).tensor('pred');
  const { data: label } = golden.case(id).tensor('label');
  const [count, height, width] = shape as [number, number, number];
  const part = (data: ArrayLike<number>, i: number): LabelMap =>
    map(Array.prototype.slice.call(data, i * height * width, (i + 1) * height * width), height, width);
  return Array.from({ length: count }, (_, i) => [part(pred, i), part(label, i)]);
}

function matrixOf(images: readonly [LabelMap, LabelMap][], numClasses: number): ConfusionMatrix {
  const matrix = new ConfusionMatrix(numClasses);
  for (const [pred, label] of images) matrix.update(pred, label);
  return matrix;
}

describe('against mmsegmentation', () => {
  it.each(['metrics0', 'metrics1', 'metrics2', 'metrics3', 'metrics4'])('%s, to the last bit', (id) => {
    const { params, entry } = golden.case(id);
    const expected = entry['expected'] as Record<string, number | (number | null)[]>;
    const matrix = matrixOf(imagesOf(id), params['num_classes'] as number);
    const areas = matrix.areas();
    expect([...areas.intersection]).toEqual(expected['area_intersect']);
    expect([...areas.union]).toEqual(expected['area_union']);
    expect([...areas.prediction]).toEqual(expected['area_pred']);
    expect([...areas.label]).toEqual(expected['area_label']);

    const { metrics, perClass } = segmentationReport(segmentationMetrics(matrix), []);
    const { aAcc, mIoU, mAcc, mDice, mFscore } = metrics;
    expect({ aAcc, mIoU, mAcc, mDice, mFscore }).toEqual(
      Object.fromEntries(['aAcc', 'mIoU', 'mAcc', 'mDice', 'mFscore'].map((key) => [key, expected[key]])),
    );
    expect(perClass.map(({ iou }) => iou)).toEqual(expected['IoU']);
    expect(perClass.map(({ acc }) => acc)).toEqual(expected['Acc']);
    expect(perClass.map(({ dice }) => dice)).toEqual(expected['Dice']);
    expect(perClass.map(({ precision }) => precision)).toEqual(expected['Precision']);
    expect(perClass.map(({ recall }) => recall)).toEqual(expected['Recall']);
    expect(perClass.map(({ fscore }) => fscore)).toEqual(expected['Fscore']);
    expect(perClass.map(({ pixels }) => pixels)).toEqual(expected['area_label']);
  });

  it('reduces labels alike', () => {
    const { tensor } = golden.case('reduce_zero_label');
    const [height, width] = tensor('raw').shape as [number, number];
    expect([...reduceZeroLabel(map(tensor('raw').data, height, width)).data]).toEqual([...tensor('reduced').data]);
  });
});

/** Areas from their definition, one class and one pixel at a time. */
function plainAreas(images: readonly [LabelMap, LabelMap][], numClasses: number): number[][] {
  const pixels = images.flatMap(([pred, label]) => Array.from(pred.data, (p, i) => [p, label.data[i]!] as const));
  const counted = pixels.filter(([, l]) => l !== 255);
  return Array.from({ length: numClasses }, (_, id) => [
    counted.filter(([p, l]) => p === id && l === id).length,
    counted.filter(([p, l]) => p === id || l === id).length,
    counted.filter(([p]) => p === id).length,
    counted.filter(([, l]) => l === id).length,
  ]);
}

/** Values that are classes, values that are none, and the ignored one. */
const value = (numClasses: number) =>
  fc.oneof({ weight: 4, arbitrary: fc.nat(numClasses - 1) }, fc.nat(255), fc.constant(255));
const imagePairs = fc.integer({ min: 1, max: 6 }).chain((numClasses) =>
  fc.tuple(
    fc.constant(numClasses),
    fc.array(
      fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })).chain(([h, w]) => {
        const values = fc.array(value(numClasses), { minLength: h * w, maxLength: h * w });
        return fc.tuple(values, values).map(([p, l]): [LabelMap, LabelMap] => [map(p, h, w), map(l, h, w)]);
      }),
      { minLength: 1, maxLength: 4 },
    ),
  ),
);

describe('ConfusionMatrix', () => {
  it('counts the areas as they are defined, for any values', () => {
    fc.assert(
      fc.property(imagePairs, ([numClasses, images]) => {
        const { intersection, union, prediction, label } = matrixOf(images, numClasses).areas();
        const got = Array.from(intersection, (n, id) => [n, union[id], prediction[id], label[id]]);
        expect(got).toEqual(plainAreas(images, numClasses));
      }),
    );
  });

  it('gives the same for shards in any order, through JSON', () => {
    fc.assert(
      fc.property(imagePairs, fc.nat(3), ([numClasses, images], cut) => {
        const shards = [images.slice(cut), images.slice(0, cut)].map((part) =>
          ConfusionMatrix.fromJSON(JSON.parse(JSON.stringify(matrixOf(part, numClasses)))),
        );
        expect(shards[0]!.merge(shards[1]!).toJSON()).toEqual(matrixOf(images, numClasses).toJSON());
      }),
    );
  });

  it('takes 16-bit maps, other ignored labels and any strides', () => {
    const matrix = new ConfusionMatrix(300, { ignoreIndex: 65535 });
    const labels = ndarray(Uint16Array.from([255, 299, 65535, 0]), [2, 2]);
    const prediction = ndarray(Uint16Array.from([255, 0, 7, 298]), [2, 2], [1, 2]); // transposed: 255 7 / 0 298
    matrix.update(prediction, labels);
    expect(matrix.areas().intersection[255]).toBe(1);
    expect(matrix.counts[299 * 301 + 7]).toBe(1);
    expect(matrix.counts[298]).toBe(1);
    expect(matrix.counts.reduce((a, b) => a + b)).toBe(3);
  });

  it('refuses what does not fit', () => {
    const matrix = new ConfusionMatrix(3);
    expect(() => matrix.update(map([0, 0], 1, 2), map([0, 0], 2, 1))).toThrow(/prediction is \[1, 2\].*\[2, 1\]/);
    expect(() => matrix.merge(new ConfusionMatrix(4))).toThrow(/cannot add 4 classes with 255 ignored to 3 classes/);
    expect(() => matrix.merge(new ConfusionMatrix(3, { ignoreIndex: 0 }))).toThrow(/with 0 ignored/);
    expect(() => matrix.addCounts([1])).toThrow(/expected 16 counts for 3 classes, got 1/);
    expect(() => new ConfusionMatrix(0)).toThrow(/got 0/);
    const json = matrix.toJSON();
    const read = (stored: unknown) => () => ConfusionMatrix.fromJSON(stored, 'part-1.json');
    expect(read(null)).toThrow(/part-1.json is not a stored confusion matrix/);
    expect(read({ ...json, version: 2 })).toThrow(/version 2; this program reads version 1/);
    expect(read({ ...json, counts: json.counts.slice(1) })).toThrow(/16 whole numbers/);
    expect(read({ ...json, counts: json.counts.map(() => 0.5) })).toThrow(/16 whole numbers/);
    expect(read({ ...json, numClasses: -1 })).toThrow(/no valid 'numClasses'/);
  });
});

describe('segmentationMetrics', () => {
  it('gives 1 for a perfect prediction, over the classes present', () => {
    const labels = map([0, 0, 2, 255], 2, 2);
    const metrics = segmentationMetrics(new ConfusionMatrix(4).update(map([0, 0, 2, 3], 2, 2), labels));
    expect(metrics).toMatchObject({ aAcc: 1, mAcc: 1, mIoU: 1, mDice: 1, mFscore: 1, mPrecision: 1, mRecall: 1 });
    expect(metrics.perClass.map(({ iou }) => iou)).toEqual([1, NaN, 1, NaN]);
  });

  it('gives what the rules say for a label map shifted by one class', () => {
    const labels = map([0, 0, 1, 2, 255, 1], 2, 3);
    const shifted = map([1, 1, 2, 3, 0, 2], 2, 3);
    const metrics = segmentationMetrics(new ConfusionMatrix(5).update(shifted, labels));
    // Class 3 is predicted but never labelled: an IoU of 0, no accuracy. Class 4 is neither.
    expect(metrics.perClass.map(({ iou }) => iou)).toEqual([0, 0, 0, 0, NaN]);
    expect(metrics.perClass.map(({ acc }) => acc)).toEqual([0, 0, 0, NaN, NaN]);
    expect(metrics.perClass.map(({ dice }) => dice)).toEqual([0, 0, 0, 0, NaN]);
    expect(metrics.perClass.map(({ fscore }) => fscore)).toEqual([NaN, NaN, NaN, NaN, NaN]);
    expect(metrics).toMatchObject({ aAcc: 0, mAcc: 0, mIoU: 0, mDice: 0, mFscore: NaN });
  });

  it('has no figures without pixels, and null in JSON', () => {
    const report = segmentationReport(segmentationMetrics(new ConfusionMatrix(2)), ['wall']);
    expect(JSON.parse(JSON.stringify(report))).toEqual({
      metrics: { aAcc: null, mAcc: null, mIoU: null, mDice: null, mFscore: null, mPrecision: null, mRecall: null },
      perClass: ['wall', 'class 1'].map((name) => ({
        ...{ name, iou: null, acc: null, dice: null, precision: null, recall: null, fscore: null, pixels: 0 },
      })),
    });
  });
});
