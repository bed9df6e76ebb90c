/** Inputs that the tests of the operator and of its gradient share. */
import fc from 'fast-check';
import { sizeOf } from '@ii/tensor';
import { randomNumbers, type GoldenCase, type HostTensor } from '@ii/tensor/testing';
import type { DCNv3CoreOptions } from '../src/dcnv3.js';

export interface Inputs {
  readonly x: HostTensor<Float32Array>;
  readonly offset: HostTensor<Float32Array>;
  readonly mask: HostTensor<Float32Array>;
  readonly centerScale?: HostTensor<Float32Array>;
}

export type Options = Omit<DCNv3CoreOptions, 'centerScale'>;

/** A map of one channel, one group: the smallest inputs that a location can be read from. */
export function oneChannel(height: number, width: number, values: readonly number[], points: number): Inputs {
  return {
    x: { shape: [1, height, width, 1], data: Float32Array.from(values) },
    offset: { shape: [1, height, width, 2 * points], data: new Float32Array(height * width * 2 * points) },
    mask: { shape: [1, height, width, points], data: new Float32Array(height * width * points) },
  };
}

const number = (c: GoldenCase, name: string): number => {
  const value = c.params[name];
  if (typeof value !== 'number') throw new Error(`case ${c.id}: parameter '${name}' is ${String(value)}`);
  return value;
};

export const floats = (c: GoldenCase, name: string): HostTensor<Float32Array> => {
  const { shape, data } = c.tensor(name);
  if (!(data instanceof Float32Array)) throw new Error(`case ${c.id}: '${name}' is not f32`);
  return { shape, data };
};

/** The options of a case of `dcnv3_core`. */
export const goldenOptions = (c: GoldenCase): Options => ({
  kernelSize: number(c, 'kernel'),
  stride: number(c, 'stride'),
  padding: number(c, 'pad'),
  dilation: number(c, 'dilation'),
  groups: number(c, 'group'),
  offsetScale: number(c, 'offset_scale'),
});

export interface Drawn {
  readonly n: number;
  readonly height: number;
  readonly width: number;
  readonly groups: number;
  readonly groupChannels: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly offsetScale: number;
  readonly softmax: boolean;
  readonly center: boolean;
  /** Offsets lie between ± reach and are multiples of step, so that f32 holds every location exactly. */
  readonly reach: number;
  readonly step: number;
}

const two = (min: number, max: number): fc.Arbitrary<[number, number]> =>
  fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));

export const anyCase: fc.Arbitrary<Drawn> = fc.record({
  n: fc.integer({ min: 1, max: 2 }),
  height: fc.integer({ min: 1, max: 7 }),
  width: fc.integer({ min: 1, max: 7 }),
  groups: fc.integer({ min: 1, max: 4 }),
  groupChannels: fc.constantFrom(1, 2, 4, 7, 16, 19, 20, 32, 37),
  kernel: two(1, 4),
  stride: two(1, 3),
  padding: two(0, 3),
  dilation: two(1, 2),
  offsetScale: fc.constantFrom(0.5, 1, 2),
  softmax: fc.boolean(),
  center: fc.boolean(),
  reach: fc.constantFrom(0.5, 3, 30),
  step: fc.constantFrom(2 ** -12, 0.5, 1),
});

/** Inputs of a drawn case; undefined where its map is smaller than its kernel. */
export function draw(drawn: Drawn): { readonly inputs: Inputs; readonly options: Options } | undefined {
  const { n, height, width, groups, kernel, stride, padding, dilation, offsetScale, softmax } = drawn;
  const along = (axis: 0 | 1, size: number): number =>
    Math.floor((size + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis]) + 1;
  const output = [along(0, height), along(1, width)] as const;
  if (output[0] < 1 || output[1] < 1) return undefined;
  const points = groups * kernel[0] * kernel[1];
  const tensor = (seed: number, low: number, high: number, ...shape: number[]): HostTensor<Float32Array> => ({
    shape,
    data: randomNumbers(sizeOf(shape), { seed, low, high }),
  });
  const offset = tensor(2, -drawn.reach, drawn.reach, n, ...output, 2 * points);
  offset.data.forEach((v, i) => (offset.data[i] = Math.round(v / drawn.step) * drawn.step));
  const same = output[0] === height && output[1] === width;
  const inputs: Inputs = {
    x: tensor(1, -1, 1, n, height, width, groups * drawn.groupChannels),
    offset,
    mask: tensor(3, softmax ? -8 : 0, softmax ? 8 : 1, n, ...output, points),
    ...(drawn.center && same && { centerScale: tensor(4, 0, 1, n, height, width, groups) }),
  };
  const options = { kernelSize: kernel, stride, padding, dilation, groups, offsetScale, softmax };
  return { inputs, options };
}
