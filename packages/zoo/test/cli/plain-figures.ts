/** What an evaluation must give, computed slowly: full-size logits, f64 softmax, areas counted class by class. */
import { scope, type Device } from '@ii/tensor';
import { inferenceTransform, type RgbImage } from '@ii/tensor/image';
import type { UperNet } from '@ii/upernet';

interface PlainMap {
  readonly height: number;
  readonly width: number;
  readonly data: Float64Array;
}

export interface PlainOptions {
  readonly network: UperNet;
  readonly device: Device;
  readonly scale: readonly [long: number, short: number];
  readonly ratios: readonly number[];
  readonly flips: readonly boolean[];
}

/** Bilinear, half-pixel centres, clamped at the border. */
function resize({ height, width, data }: PlainMap, newHeight: number, newWidth: number): PlainMap {
  const channels = data.length / (height * width);
  const result = new Float64Array(newHeight * newWidth * channels);
  for (let y = 0; y < newHeight; y++) {
    const v = Math.max(((y + 0.5) * height) / newHeight - 0.5, 0);
    const y0 = Math.min(Math.floor(v), height - 1);
    const y1 = Math.min(y0 + 1, height - 1);
    for (let x = 0; x < newWidth; x++) {
      const u = Math.max(((x + 0.5) * width) / newWidth - 0.5, 0);
      const x0 = Math.min(Math.floor(u), width - 1);
      const x1 = Math.min(x0 + 1, width - 1);
      for (let c = 0; c < channels; c++) {
        const at = (row: number, column: number): number => data[(row * width + column) * channels + c]!;
        const [a, b] = [u - x0, v - y0];
        const top = at(y0, x0) * (1 - a) + at(y0, x1) * a;
        const bottom = at(y1, x0) * (1 - a) + at(y1, x1) * a;
        result[(y * newWidth + x) * channels + c] = top * (1 - b) + bottom * b;
      }
    }
  }
  return { height: newHeight, width: newWidth, data: result };
}

function mirror<T extends Float32Array | Float64Array>(data: T, width: number, channels: number): T {
  const result = data.slice() as T;
  for (let i = 0; i < data.length; i++) {
    const c = i % channels;
    const pixel = (i - c) / channels;
    const x = pixel % width;
    result[(pixel - x + width - 1 - x) * channels + c] = data[i]!;
  }
  return result;
}

/** The class of every pixel of a photo, row by row. */
export async function plainLabels(image: RgbImage, options: PlainOptions): Promise<Uint8Array> {
  const { network, device, scale, ratios, flips } = options;
  const [height, width] = image.shape as [number, number, number];
  const classes = network.config.numClasses;
  const mean = new Float64Array(height * width * classes);
  for (const ratio of ratios) {
    const limits = [Math.trunc(scale[0] * ratio), Math.trunc(scale[1] * ratio)] as const;
    const { input, inputSize } = inferenceTransform(image, { scale: limits });
    for (const flipped of flips) {
      const pixels = flipped ? mirror(input.data, inputSize[1], 3) : input.data;
      using logits = scope(() => network.forward(device.tensor(pixels, [1, ...inputSize, 3])));
      const [, h, w] = logits.shape as readonly [number, number, number, number];
      const small = { height: h, width: w, data: await logits.readFloat64() };
      const { data } = resize(resize(small, ...inputSize), height, width);
      for (let start = 0; start < data.length; start += classes) {
        const pixel = data.subarray(start, start + classes);
        const highest = Math.max(...pixel);
        let sum = 0;
        for (let c = 0; c < classes; c++) sum += pixel[c] = Math.exp(pixel[c]! - highest);
        for (let c = 0; c < classes; c++) pixel[c]! /= sum;
      }
      const probabilities = flipped ? mirror(data, width, classes) : data;
      for (let i = 0; i < mean.length; i++) mean[i]! += probabilities[i]! / (ratios.length * flips.length);
    }
  }
  return Uint8Array.from({ length: height * width }, (_, pixel) => {
    let best = 0;
    for (let c = 1; c < classes; c++) if (mean[pixel * classes + c]! > mean[pixel * classes + best]!) best = c;
    return best;
  });
}

/** The figures of `--json`, by mmsegmentation's rules written out class by class. */
export function plainFigures(
  pairs: readonly { readonly prediction: ArrayLike<number>; readonly truth: ArrayLike<number> }[],
  classNames: readonly string[],
): object {
  const mean = (values: readonly number[]): number | null => {
    const present = values.filter((value) => !Number.isNaN(value));
    return present.length > 0 ? present.reduce((a, b) => a + b) / present.length : null;
  };
  let [right, all] = [0, 0];
  const rows = classNames.map((name, id) => {
    let [both, predicted, labelled] = [0, 0, 0];
    for (const { prediction, truth } of pairs) {
      for (let i = 0; i < truth.length; i++) {
        if (truth[i] === 255) continue;
        if (prediction[i] === id) predicted++;
        if (truth[i] === id) labelled++;
        if (prediction[i] === id && truth[i] === id) both++;
      }
    }
    right += both;
    all += labelled;
    const [iou, acc, dice] = [
      both / (predicted + labelled - both),
      both / labelled,
      (2 * both) / (predicted + labelled),
    ];
    return { name, iou, acc, dice, pixels: labelled };
  });
  const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);
  return {
    images: pairs.length,
    metrics: {
      aAcc: orNull(right / all),
      mAcc: mean(rows.map(({ acc }) => acc)),
      mIoU: mean(rows.map(({ iou }) => iou)),
      mDice: mean(rows.map(({ dice }) => dice)),
    },
    perClass: rows.map(({ name, iou, acc, pixels }) => ({ name, iou: orNull(iou), acc: orNull(acc), pixels })),
  };
}

/** Whether two results agree: numbers to 1e-6, all else exactly. Returns the paths that do not. */
export function differences(actual: unknown, expected: unknown, path = ''): string[] {
  if (typeof actual === 'number' && typeof expected === 'number') {
    return Math.abs(actual - expected) <= 1e-6 ? [] : [`${path}: ${actual} instead of ${expected}`];
  }
  if (typeof expected === 'object' && expected !== null && typeof actual === 'object' && actual !== null) {
    const [a, b] = [new Map(Object.entries(actual)), new Map(Object.entries(expected))];
    return [...new Set([...a.keys(), ...b.keys()])].flatMap((key) =>
      differences(a.get(key), b.get(key), `${path}.${key}`),
    );
  }
  return actual === expected ? [] : [`${path}: ${String(actual)} instead of ${String(expected)}`];
}
