import { ConfusionMatrix, type ClassAreas } from './confusion-matrix.js';

/** Figures of one class, fractions of 1; `NaN` where the denominator is empty. */
export interface ClassMetrics {
  /** Intersection over union. */
  readonly iou: number;
  /** Share of the labelled pixels that were found: the recall. */
  readonly acc: number;
  readonly dice: number;
  readonly precision: number;
  readonly recall: number;
  /** F1; `NaN` as well where precision and recall are both 0, which a Dice of 0 is not. */
  readonly fscore: number;
  /** Labelled pixels of the class. */
  readonly pixels: number;
}

/** The means, fractions of 1; `NaN` if not a single class has a figure. */
export interface MeanMetrics {
  /** Share of all labelled pixels that were predicted right. */
  readonly aAcc: number;
  readonly mAcc: number;
  readonly mIoU: number;
  readonly mDice: number;
  readonly mFscore: number;
  readonly mPrecision: number;
  readonly mRecall: number;
}

/** All figures of an evaluation. */
export interface SegmentationMetrics extends MeanMetrics {
  /** By class id. */
  readonly perClass: readonly ClassMetrics[];
}

/** `NaN` becomes `null`, for JSON. */
export type Nullable<T> = { readonly [K in keyof T]: T[K] extends number ? number | null : T[K] };

/** What a JSON report of an evaluation holds. */
export interface SegmentationReport {
  readonly metrics: Nullable<MeanMetrics>;
  readonly perClass: readonly ({ readonly name: string } & Nullable<ClassMetrics>)[];
}

/**
 * mmsegmentation's metrics (`mIoU`, `mDice`, `mFscore`): IoU, accuracy, Dice, precision, recall and F1 of each class,
 * and their means over the classes that have one. A class that is neither labelled nor predicted has no IoU; one that is
 * predicted but never labelled has an IoU of 0 and counts in `mIoU`, but has no accuracy and does not count in `mAcc`.
 */
export function segmentationMetrics(source: ConfusionMatrix | ClassAreas): SegmentationMetrics {
  const { intersection, union, prediction, label } = source instanceof ConfusionMatrix ? source.areas() : source;
  const perClass = Array.from(intersection, (common, id): ClassMetrics => {
    const pixels = label[id]!;
    const precision = common / prediction[id]!;
    const recall = common / pixels;
    return {
      iou: common / union[id]!,
      acc: recall,
      dice: (2 * common) / (prediction[id]! + pixels),
      precision,
      recall,
      fscore: (2 * (precision * recall)) / (precision + recall),
      pixels,
    };
  });
  const mean = (key: Exclude<keyof ClassMetrics, 'pixels'>): number => nanMean(perClass.map((entry) => entry[key]));
  return {
    aAcc: pairwiseSum([...intersection]) / pairwiseSum([...label]),
    mAcc: mean('acc'),
    mIoU: mean('iou'),
    mDice: mean('dice'),
    mFscore: mean('fscore'),
    mPrecision: mean('precision'),
    mRecall: mean('recall'),
    perClass,
  };
}

/**
 * The JSON form: names beside the classes, `null` for `NaN`.
 *
 * @param classNames by id; a class without one is called by its id.
 */
export function segmentationReport(
  { perClass, ...metrics }: SegmentationMetrics,
  classNames: readonly string[],
): SegmentationReport {
  return {
    metrics: withNulls(metrics),
    perClass: perClass.map((entry, id) => ({ name: classNames[id] ?? `class ${id}`, ...withNulls(entry) })),
  };
}

function withNulls<T extends object>(figures: T): Nullable<T> {
  return Object.fromEntries(
    Object.entries(figures).map(([key, value]) => [key, Number.isNaN(value) ? null : value]),
  ) as Nullable<T>;
}

/** Mean of the entries that are numbers; `NaN` if there is none. */
function nanMean(values: readonly number[]): number {
  const count = values.filter((value) => !Number.isNaN(value)).length;
  return pairwiseSum(values.map((value) => (Number.isNaN(value) ? 0 : value))) / count;
}

/**
 * The sum in NumPy's order, so that a mean over 150 classes agrees to the last bit: up to 128 terms in eight partial
 * sums, more by halves.
 */
function pairwiseSum(values: readonly number[]): number {
  const { length } = values;
  if (length < 8) return values.reduce((sum, value) => sum + value, 0);
  if (length > 128) {
    const half = (length >> 1) - ((length >> 1) % 8);
    return pairwiseSum(values.slice(0, half)) + pairwiseSum(values.slice(half));
  }
  const whole = length - (length % 8);
  const lanes = values.slice(0, 8);
  for (let i = 8; i < whole; i++) lanes[i % 8]! += values[i]!;
  const [a, b, c, d, e, f, g, h] = lanes as [number, number, number, number, number, number, number, number];
  return values.slice(whole).reduce((sum, value) => sum + value, a + b + (c + d) + (e + f + (g + h)));
}
