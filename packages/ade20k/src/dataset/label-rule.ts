import ndarray, { type NdArray } from 'ndarray';
import { IGNORE_INDEX, labelValues } from '@ii/tensor/image';
import { DatasetError } from './errors.js';

/**
 * What the values of annotation files mean. `ade20k`: 0 is unlabelled and becomes 255 (ignored), k is class k − 1; 255
 * stays ignored. `raw`: values are class ids as they are, 255 is ignored.
 */
export type LabelConvention = 'ade20k' | 'raw';

/** How annotation values become class ids. */
export interface LabelRule {
  readonly labels: LabelConvention;
  /** Number of classes, 1 to 255. */
  readonly numClasses: number;
}

/** Counts of an annotation's values, in the terms of its rule. */
export interface LabelCounts {
  /** Pixels per class id. */
  readonly classes: Float64Array;
  readonly ignored: number;
  /** Values that are neither a class nor ignored: the stored value and its pixels, by value. */
  readonly outOfRange: readonly (readonly [value: number, pixels: number])[];
}

/** @throws DatasetError if the convention is unknown or the number of classes does not fit 8-bit annotations. */
export function requireLabelRule({ labels, numClasses }: LabelRule): void {
  if (labels !== 'ade20k' && labels !== 'raw') {
    throw new DatasetError(
      `labels must be 'ade20k' (0 is unlabelled) or 'raw' (values are ids), got '${String(labels)}'`,
    );
  }
  if (!Number.isInteger(numClasses) || numClasses < 1 || numClasses > IGNORE_INDEX) {
    throw new DatasetError(`a data set with 8-bit annotations has 1 to 255 classes, got ${numClasses}`);
  }
}

/** Class id of every annotation value: 255 for ignored ones, −1 for those out of range. */
function idTable({ labels, numClasses }: LabelRule): Int16Array {
  const shift = labels === 'ade20k' ? 1 : 0;
  const table = new Int16Array(256).fill(IGNORE_INDEX);
  for (let value = shift; value < IGNORE_INDEX; value++) table[value] = value - shift < numClasses ? value - shift : -1;
  return table;
}

/** Counts the values of an annotation `[H, W]`. */
export function countLabels(annotation: NdArray<Uint8Array>, rule: LabelRule): LabelCounts {
  const table = idTable(rule);
  const histogram = new Float64Array(256);
  const values = labelValues(annotation, 'countLabels');
  for (let i = 0; i < values.length; i++) histogram[values[i]!]!++;
  const classes = new Float64Array(rule.numClasses);
  const outOfRange: (readonly [number, number])[] = [];
  let ignored = 0;
  histogram.forEach((pixels, value) => {
    const id = table[value]!;
    if (id === IGNORE_INDEX) ignored += pixels;
    else if (id >= 0) classes[id] = pixels;
    else if (pixels > 0) outOfRange.push([value, pixels]);
  });
  return { classes, ignored, outOfRange };
}

/** The class ids `[H, W]` of an annotation, 255 where ignored; or the values that the rule does not allow. */
export function applyLabelRule(
  annotation: NdArray<Uint8Array>,
  rule: LabelRule,
): { readonly ids: NdArray<Uint8Array> } | { readonly outOfRange: LabelCounts['outOfRange'] } {
  const table = idTable(rule);
  const values = labelValues(annotation, 'applyLabelRule');
  const ids = new Uint8Array(values.length);
  let worst = 0;
  for (let i = 0; i < values.length; i++) {
    const id = table[values[i]!]!;
    worst |= id;
    ids[i] = id;
  }
  // Only −1 sets the sign.
  if (worst < 0) return { outOfRange: countLabels(annotation, rule).outOfRange };
  return { ids: ndarray(ids, [...annotation.shape]) };
}

/** For a message: `label 151 (12 pixels); expected 1 to 150, or 0 where unlabelled`. */
export function describeOutOfRange(outOfRange: LabelCounts['outOfRange'], { labels, numClasses }: LabelRule): string {
  const shown = outOfRange.slice(0, 5).map(([value, pixels]) => `${value} (${pixels} pixel${pixels === 1 ? '' : 's'})`);
  const more = outOfRange.length > shown.length ? ` and ${outOfRange.length - shown.length} more` : '';
  const expected =
    labels === 'ade20k'
      ? `expected 1 to ${numClasses}, or 0 where unlabelled`
      : `expected 0 to ${numClasses - 1}, or 255 where ignored`;
  return `label${outOfRange.length > 1 ? 's' : ''} ${shown.join(', ')}${more}; ${expected}`;
}
