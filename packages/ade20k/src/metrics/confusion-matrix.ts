import { FormatError, ShapeError } from '@ii/tensor';
import { IGNORE_INDEX, labelValues, type LabelMap } from '@ii/tensor/image';

/** Name and version of the stored form. */
const FORMAT = 'ii-confusion-matrix';
const VERSION = 1;

export interface ConfusionMatrixOptions {
  /** Pixels with this label count nowhere. Default 255. */
  readonly ignoreIndex?: number;
}

/** Pixels per class, summed over all images; each array has one entry per class. */
export interface ClassAreas {
  /** Predicted as the class, and labelled so. */
  readonly intersection: Float64Array;
  /** Predicted or labelled as the class. */
  readonly union: Float64Array;
  /** Predicted as the class, where the label is not ignored. */
  readonly prediction: Float64Array;
  /** Labelled as the class. */
  readonly label: Float64Array;
}

/** A {@link ConfusionMatrix} as JSON: what a shard of an evaluation writes. */
export interface ConfusionMatrixJson {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  readonly numClasses: number;
  readonly ignoreIndex: number;
  /** Row-major `[numClasses + 1, numClasses + 1]`, see {@link ConfusionMatrix.counts}. */
  readonly counts: readonly number[];
}

/**
 * Counts of (label, prediction) pairs over any number of images. From it follow all areas exactly as mmsegmentation's
 * `intersect_and_union` counts them: a pixel with the ignored label counts nowhere; of the others, a label that is no
 * class drops out of the label area but leaves the prediction counted, and the other way round.
 *
 * Matrices of parts of a data set add up to that of the whole, in any order, to the last bit.
 */
export class ConfusionMatrix {
  readonly numClasses: number;
  readonly ignoreIndex: number;
  /**
   * Row-major `[numClasses + 1, numClasses + 1]`: the row is the label, the column the prediction, the last of each is
   * "no class" (a value of `numClasses` or above). Whole numbers.
   */
  readonly counts: Float64Array;
  /** First index of a label's row, −1 for the ignored one; grown to the highest label seen. */
  #rows: Int32Array;

  /** @throws ShapeError unless `numClasses` is a whole number from 1 to 65535. */
  constructor(numClasses: number, { ignoreIndex = IGNORE_INDEX }: ConfusionMatrixOptions = {}) {
    if (!Number.isInteger(numClasses) || numClasses < 1 || numClasses > 65535) {
      throw new ShapeError(`ConfusionMatrix: expected 1 to 65535 classes, got ${numClasses}`);
    }
    this.numClasses = numClasses;
    this.ignoreIndex = ignoreIndex;
    this.counts = new Float64Array((numClasses + 1) ** 2);
    this.#rows = this.#rowTable(256);
  }

  #rowTable(length: number): Int32Array {
    const { numClasses, ignoreIndex } = this;
    return Int32Array.from({ length }, (_, label) =>
      label === ignoreIndex ? -1 : Math.min(label, numClasses) * (numClasses + 1),
    );
  }

  /**
   * Adds the pixels of one image.
   *
   * @param prediction class ids `[H, W]`, any strides.
   * @param labels the truth `[H, W]`, after label reduction.
   * @throws ShapeError if the two maps differ in size; DTypeError if the elements are not integers of 8 or 16 bits.
   */
  update(prediction: LabelMap, labels: LabelMap): this {
    const predicted = labelValues(prediction, 'ConfusionMatrix.update: prediction');
    const truth = labelValues(labels, 'ConfusionMatrix.update: labels');
    if (prediction.shape[0] !== labels.shape[0] || prediction.shape[1] !== labels.shape[1]) {
      throw new ShapeError(
        `ConfusionMatrix.update: the prediction is [${prediction.shape.join(', ')}], the labels are [${labels.shape.join(', ')}]; resize the logits to the size of the labels first`,
      );
    }
    if (truth instanceof Uint16Array && this.#rows.length < 65536) this.#rows = this.#rowTable(65536);
    const rows = this.#rows;
    const { counts, numClasses } = this;
    for (let i = 0; i < truth.length; i++) {
      const row = rows[truth[i]!]!;
      if (row < 0) continue;
      const column = predicted[i]!;
      counts[row + (column < numClasses ? column : numClasses)]!++;
    }
    return this;
  }

  /**
   * Adds counts made elsewhere, for example on a device, in the layout of {@link counts}.
   *
   * @throws ShapeError if there are not `(numClasses + 1)²` of them.
   */
  addCounts(counts: ArrayLike<number>): this {
    if (counts.length !== this.counts.length) {
      throw new ShapeError(
        `ConfusionMatrix.addCounts: expected ${this.counts.length} counts for ${this.numClasses} classes, got ${counts.length}`,
      );
    }
    for (let i = 0; i < counts.length; i++) this.counts[i]! += counts[i]!;
    return this;
  }

  /**
   * Adds the counts of another matrix, for example of another shard.
   *
   * @throws ShapeError if it has other classes or another ignored label.
   */
  merge(other: ConfusionMatrix): this {
    if (other.numClasses !== this.numClasses || other.ignoreIndex !== this.ignoreIndex) {
      const describe = (m: ConfusionMatrix): string => `${m.numClasses} classes with ${m.ignoreIndex} ignored`;
      throw new ShapeError(`ConfusionMatrix.merge: cannot add ${describe(other)} to ${describe(this)}`);
    }
    return this.addCounts(other.counts);
  }

  /** The areas that all metrics are made of. */
  areas(): ClassAreas {
    const { numClasses, counts } = this;
    const [intersection, union, prediction, label] = Array.from(
      { length: 4 },
      () => new Float64Array(numClasses),
    ) as unknown as [Float64Array, Float64Array, Float64Array, Float64Array];
    const stride = numClasses + 1;
    for (let row = 0; row < stride; row++) {
      for (let column = 0; column < stride; column++) {
        const count = counts[row * stride + column]!;
        if (row < numClasses) label[row]! += count;
        if (column < numClasses) prediction[column]! += count;
      }
    }
    for (let id = 0; id < numClasses; id++) {
      const common = counts[id * stride + id]!;
      intersection[id] = common;
      union[id] = prediction[id]! + label[id]! - common;
    }
    return { intersection, union, prediction, label };
  }

  /** A form for `JSON.stringify`, exact; {@link ConfusionMatrix.fromJSON} reads it. */
  toJSON(): ConfusionMatrixJson {
    const { numClasses, ignoreIndex, counts } = this;
    return { format: FORMAT, version: VERSION, numClasses, ignoreIndex, counts: [...counts] };
  }

  /**
   * Reads what {@link toJSON} gave.
   *
   * @param value parsed JSON from anywhere.
   * @param source what messages call it. Default `confusion matrix`.
   * @throws FormatError if it is something else, of another version, or incomplete.
   */
  static fromJSON(value: unknown, source = 'confusion matrix'): ConfusionMatrix {
    const { format, version, numClasses, ignoreIndex, counts } = (value ?? {}) as Partial<ConfusionMatrixJson>;
    if (format !== FORMAT) throw new FormatError(`${source} is not a stored confusion matrix (no format '${FORMAT}')`);
    if (version !== VERSION) {
      throw new FormatError(`${source} has version ${String(version)}; this program reads version ${VERSION}`);
    }
    const whole = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
    if (!whole(numClasses) || numClasses < 1 || numClasses > 65535 || !whole(ignoreIndex)) {
      throw new FormatError(`${source} has no valid 'numClasses' and 'ignoreIndex'`);
    }
    if (!Array.isArray(counts) || counts.length !== (numClasses + 1) ** 2 || !counts.every(whole)) {
      throw new FormatError(
        `${source}: 'counts' must be ${(numClasses + 1) ** 2} whole numbers; the file is incomplete`,
      );
    }
    return new ConfusionMatrix(numClasses, { ignoreIndex }).addCounts(counts);
  }
}
