import ndarray, { type NdArray } from 'ndarray';
import { ShapeError } from '@ii/tensor';
import type { Size } from '@ii/tensor/image';
import { copyPixels } from '../pixels.js';
import type { Sample } from '../sample.js';

/** Samples of one size, stacked. */
export interface Batch {
  /** `[N, H, W, 3]`, contiguous: float32 if normalised, else bytes. */
  readonly images: NdArray<Float32Array> | NdArray<Uint8Array>;
  /** Class ids `[N, H, W]`, contiguous, 255 where ignored; absent if the samples have none. */
  readonly labels?: NdArray<Uint8Array>;
  /** By place in the batch. */
  readonly names: readonly string[];
  /** Sizes of the photos before any transform. */
  readonly originalSizes: readonly Size[];
}

/**
 * Stacks samples into a batch; the pixels are copied.
 *
 * @param samples at least one.
 * @throws ShapeError, naming the sample, if one differs from the first in size, element type or having labels.
 */
export function stackSamples(samples: readonly Sample[]): Batch {
  const [first] = samples;
  if (first === undefined) throw new ShapeError('stackSamples: expected at least one sample');
  const odd = samples.find((sample) => describe(sample) !== describe(first));
  if (odd) {
    throw new ShapeError(
      `a batch needs samples of one kind, but ${first.name} is ${describe(first)} and ${odd.name} is ${describe(odd)}; crop and pad to one size, or use batches of 1`,
    );
  }
  const images = samples.map(({ image }) => image as NdArray<Uint8Array | Float32Array>);
  const labels = samples.flatMap((sample) => sample.labels ?? []);
  return {
    images: stack(images) as Batch['images'],
    ...(labels.length > 0 && { labels: stack(labels) }),
    names: samples.map(({ name }) => name),
    originalSizes: samples.map(({ originalSize }) => originalSize),
  };
}

/**
 * The same sample with contiguous pixels in buffers of their own, as one sends them to another thread. What is so
 * already is not copied.
 */
export function packSample(sample: Sample): Sample {
  const image = packed(sample.image as NdArray<Uint8Array | Float32Array>) as Sample['image'];
  return { ...sample, image, ...(sample.labels && { labels: packed(sample.labels) }) };
}

function packed<T extends Uint8Array | Float32Array>(map: NdArray<T>): NdArray<T> {
  const { shape, stride, data } = map;
  const rowMajor = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, side) => product * side, 1));
  const exact = data.length === map.size && data.byteLength === data.buffer.byteLength;
  if (exact && stride.join() === rowMajor.join()) return map;
  const { data: copy } = stack([map]);
  return ndarray(copy, [...shape]);
}

function describe({ image, labels }: Sample): string {
  return `${image.shape[1]} × ${image.shape[0]} ${image.dtype} ${labels ? 'with' : 'without'} labels`;
}

function stack<T extends Uint8Array | Float32Array>(maps: readonly NdArray<T>[]): NdArray<T> {
  const { shape, size, data: first } = maps[0]!;
  const data = (first instanceof Uint8Array
    ? new Uint8Array(size * maps.length)
    : new Float32Array(size * maps.length)) as unknown as T;
  maps.forEach((map, i) => copyPixels(map, data, i * size, shape[1]!));
  return ndarray(data, [maps.length, ...shape]);
}
