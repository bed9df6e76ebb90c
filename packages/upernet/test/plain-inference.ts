/** The inference modes by their rules alone, in f64 on the host: every map whole, one loop for each step. */
import ndarray from 'ndarray';
import { inferenceTransform, type RgbImage } from '@ii/tensor/image';

/** Row-major `[height, width, channels]`. */
export interface PlainMap {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly data: Float64Array;
}

export interface PlainOptions {
  readonly scale: readonly [number, number];
  readonly ratios?: readonly number[];
  readonly flips?: readonly boolean[];
  /** Windows of this size and distance; without them the whole image. */
  readonly slide?: { readonly crop: readonly [number, number]; readonly stride: readonly [number, number] };
}

const make = (height: number, width: number, channels: number): PlainMap => ({
  ...{ height, width, channels },
  data: new Float64Array(height * width * channels),
});

/** `interpolate(mode='bilinear', align_corners=False)`. */
function resize(x: PlainMap, height: number, width: number): PlainMap {
  const y = make(height, width, x.channels);
  const at = (i: number, from: number, to: number): [number, number, number] => {
    const position = Math.max((i + 0.5) * (from / to) - 0.5, 0);
    const low = Math.min(Math.floor(position), from - 1);
    return [low, Math.min(low + 1, from - 1), position - low];
  };
  for (let i = 0; i < height; i++) {
    const [top, bottom, v] = at(i, x.height, height);
    for (let j = 0; j < width; j++) {
      const [left, right, u] = at(j, x.width, width);
      for (let c = 0; c < x.channels; c++) {
        const value = (row: number, column: number): number => x.data[(row * x.width + column) * x.channels + c]!;
        const upper = value(top, left) * (1 - u) + value(top, right) * u;
        const lower = value(bottom, left) * (1 - u) + value(bottom, right) * u;
        y.data[(i * width + j) * x.channels + c] = upper * (1 - v) + lower * v;
      }
    }
  }
  return y;
}

function mirror(x: PlainMap): PlainMap {
  const y = make(x.height, x.width, x.channels);
  for (let i = 0; i < x.height; i++)
    for (let j = 0; j < x.width; j++)
      for (let c = 0; c < x.channels; c++)
        y.data[(i * x.width + j) * x.channels + c] = x.data[(i * x.width + x.width - 1 - j) * x.channels + c]!;
  return y;
}

function crop(x: PlainMap, top: number, left: number, height: number, width: number): PlainMap {
  const y = make(height, width, x.channels);
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++)
      for (let c = 0; c < x.channels; c++)
        y.data[(i * width + j) * x.channels + c] = x.data[((top + i) * x.width + left + j) * x.channels + c]!;
  return y;
}

async function slide(
  forward: (x: PlainMap) => Promise<PlainMap>,
  x: PlainMap,
  { crop: [cropHeight, cropWidth], stride: [strideY, strideX] }: NonNullable<PlainOptions['slide']>,
): Promise<PlainMap> {
  const rows = Math.floor(Math.max(x.height - cropHeight + strideY - 1, 0) / strideY) + 1;
  const columns = Math.floor(Math.max(x.width - cropWidth + strideX - 1, 0) / strideX) + 1;
  let sums: PlainMap | undefined;
  const counts = new Float64Array(x.height * x.width);
  for (let r = 0; r < rows; r++) {
    for (let q = 0; q < columns; q++) {
      const [bottom, right] = [
        Math.min(r * strideY + cropHeight, x.height),
        Math.min(q * strideX + cropWidth, x.width),
      ];
      const [top, left] = [Math.max(bottom - cropHeight, 0), Math.max(right - cropWidth, 0)];
      const logits = await forward(crop(x, top, left, bottom - top, right - left));
      const map = resize(logits, bottom - top, right - left);
      sums ??= make(x.height, x.width, map.channels);
      for (let i = top; i < bottom; i++) {
        for (let j = left; j < right; j++) {
          counts[i * x.width + j]!++;
          for (let c = 0; c < map.channels; c++)
            sums.data[(i * x.width + j) * map.channels + c]! +=
              map.data[((i - top) * map.width + j - left) * map.channels + c]!;
        }
      }
    }
  }
  return { ...sums!, data: sums!.data.map((value, i) => value / counts[Math.floor(i / sums!.channels)]!) };
}

/** Probabilities `[H, W, classes]` of a photo, averaged over the views. */
export async function plainProbabilities(
  forward: (x: PlainMap) => Promise<PlainMap>,
  image: RgbImage,
  { scale, ratios = [1], flips = [false], slide: windows }: PlainOptions,
): Promise<PlainMap> {
  const [height, width] = image.shape as [number, number, number];
  let total: PlainMap | undefined;
  for (const ratio of ratios) {
    const [long, short] = [Math.floor(scale[0] * ratio), Math.floor(scale[1] * ratio)];
    const { input, inputSize } = inferenceTransform(image, { scale: [long, short] });
    const x: PlainMap = { height: inputSize[0], width: inputSize[1], channels: 3, data: Float64Array.from(input.data) };
    for (const flipped of flips) {
      const view = flipped ? mirror(x) : x;
      const logits = windows ? await slide(forward, view, windows) : resize(await forward(view), x.height, x.width);
      const onPhoto = resize(logits, height, width);
      const { channels, data } = onPhoto;
      for (let start = 0; start < data.length; start += channels) {
        const pixel = data.subarray(start, start + channels);
        const highest = pixel.reduce((a, b) => Math.max(a, b));
        pixel.forEach((value, c) => (pixel[c] = Math.exp(value - highest)));
        const sum = pixel.reduce((a, b) => a + b);
        pixel.forEach((value, c) => (pixel[c] = value / sum));
      }
      const probabilities = flipped ? mirror(onPhoto) : onPhoto;
      total ??= make(height, width, channels);
      probabilities.data.forEach((value, i) => (total!.data[i]! += value / (ratios.length * flips.length)));
    }
  }
  return total!;
}

/** The class of every pixel, and by how much it is ahead of the next. */
export function plainLabels({ channels, data }: PlainMap): { labels: number[]; margins: number[] } {
  const labels: number[] = [];
  const margins: number[] = [];
  for (let start = 0; start < data.length; start += channels) {
    let best = 0;
    let second = -Infinity;
    for (let c = 1; c < channels; c++) {
      if (data[start + c]! > data[start + best]!) {
        second = data[start + best]!;
        best = c;
      } else second = Math.max(second, data[start + c]!);
    }
    labels.push(best);
    margins.push(data[start + best]! - second);
  }
  return { labels, margins };
}

/** Noise of a size, with gradients so that mirrored and shifted views differ. */
export function noisePhoto(height: number, width: number, seed: number): RgbImage {
  let state = seed * 2_654_435_761 + 1;
  const next = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  const bytes = Uint8Array.from({ length: height * width * 3 }, (_, i) => {
    const x = Math.floor(i / 3) % width;
    return (i % 3 === 0 ? (160 * x) / width : 90) + 95 * next();
  });
  return ndarray(bytes, [height, width, 3]);
}
