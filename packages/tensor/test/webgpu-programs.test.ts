/** The programs of the GPU kernels as text, on any machine. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { castWebGpu } from '../src/backends/webgpu/kernels/cast.js';
import { addScaledWebGpu, binaryWebGpu, unaryWebGpu } from '../src/backends/webgpu/kernels/elementwise.js';
import { copyWebGpu, fillWebGpu } from '../src/backends/webgpu/kernels/layout.js';
import { argmaxWebGpu, softmaxWebGpu } from '../src/backends/webgpu/kernels/lines.js';
import { channelAffineWebGpu, foldBatchNormWebGpu, layerNormWebGpu } from '../src/backends/webgpu/kernels/norm.js';
import { adaptiveAvgPool2dWebGpu } from '../src/backends/webgpu/kernels/pooling.js';
import { reduceWebGpu } from '../src/backends/webgpu/kernels/reduce.js';
import { resizeArgmaxWebGpu } from '../src/backends/webgpu/kernels/resize-argmax.js';
import { resizeBilinearWebGpu } from '../src/backends/webgpu/kernels/resize.js';
import { defineShader, linearGrid } from '../src/backends/webgpu/program.js';
import { floatBits, storage, uniformBlock } from '../src/backends/webgpu/wgsl.js';
import { axisView, broadcastShapes, stridesOf } from '../src/shape.js';
import { describeProgram, expectValidProgram, operand, webGpuTestMachine as machine } from './webgpu-support.js';

describe('texts', () => {
  test('gelu', () => {
    const x = operand([1, 128, 128, 256]);
    expect(describeProgram(unaryWebGpu({ x }, { y: x }, { fn: 'gelu' }, machine))).toMatchSnapshot();
  });

  test('a product broadcast over pixels', () => {
    const [a, b] = [operand([2, 16, 16, 64]), operand([2, 1, 1, 64])];
    expect(describeProgram(binaryWebGpu({ a, b }, { y: a }, { fn: 'mul' }, machine))).toMatchSnapshot();
  });

  test('layerNorm over 64 channels', () => {
    const x = operand([1, 128, 128, 64]);
    const inputs = { x, weight: operand([64]), bias: operand([64]) };
    expect(describeProgram(layerNormWebGpu(inputs, { y: x }, { eps: 1e-6 }, machine))).toMatchSnapshot();
  });

  test('resizeArgmax of 150 classes', () => {
    const x = operand([1, 128, 171, 150]);
    const y = operand([1, 480, 640], 'u8');
    expect(describeProgram(resizeArgmaxWebGpu({ x }, { y }, { through: [512, 684] }, machine))).toMatchSnapshot();
  });

  test('a sum over everything', () => {
    const x = operand([1 << 20]);
    const params = { fn: 'sum', ...axisView([1 << 20], 0) } as const;
    expect(describeProgram(reduceWebGpu({ x }, { y: operand([1]) }, params, machine))).toMatchSnapshot();
  });

  test('bytes joined along channels', () => {
    const [x, y] = [operand([4, 3], 'u8'), operand([4, 6], 'u8')];
    const params = { shape: [4, 3], fromStrides: [3, 1], fromOffset: 0, toStrides: [6, 1], toOffset: 3 };
    expect(describeProgram(copyWebGpu({ x }, { y }, params, machine))).toMatchSnapshot();
  });
});

describe('vocabulary', () => {
  test('equal parameters give one shader, made once', () => {
    let made = 0;
    const shader = defineShader('s', ({ n }: { n: number }) => `// ${n} ${made++}`);
    expect(shader({ n: 1 })).toBe(shader({ n: 1 }));
    expect(shader({ n: 2 })).not.toBe(shader({ n: 1 }));
    expect(made).toBe(2);
  });

  test('uniform words are bit patterns in the order of the declaration', () => {
    const block = uniformBlock({ a: 'u32', b: 'f32', c: 'i32' });
    expect(block.wgsl).toBe(
      'struct Params {\n  a: u32,\n  b: f32,\n  c: i32,\n}\n@group(1) @binding(0) var<uniform> params: Params;',
    );
    expect(block.words({ c: -2, a: 7, b: 1 })).toEqual([7, 0x3f800000, 0xfffffffe]);
    expect(floatBits(-0.5)).toBe(0xbf000000);
  });

  test('storage declarations skip what is left out', () => {
    expect(storage(['read', 'x', 'array<f32>'], false, ['read_write', 'y', 'array<u32>'])).toBe(
      '@group(0) @binding(0) var<storage, read> x: array<f32>;\n@group(0) @binding(1) var<storage, read_write> y: array<u32>;',
    );
  });

  test('grids fold when they are too long, with few workgroups to spare', () => {
    expect(linearGrid(65535, machine)).toEqual([65535, 1, 1]);
    expect(linearGrid(65536, machine)).toEqual([32768, 2, 1]);
    const property = fc.property(fc.integer({ min: 1, max: 2 ** 30 }), (count) => {
      const [x, y, z] = linearGrid(count, machine);
      expect(x * y).toBeGreaterThanOrEqual(count);
      expect(x * y - count).toBeLessThan(y);
      expect(Math.max(x, y)).toBeLessThanOrEqual(65535);
      expect(z).toBe(1);
    });
    fc.assert(property, { seed: 7 });
  });
});

const size = fc.constantFrom(1, 2, 3, 4, 6, 8, 64, 150, 1000);
const shape = fc.array(size, { minLength: 1, maxLength: 4 });
const image = fc.tuple(fc.constantFrom(1, 2), size, size, fc.constantFrom(1, 3, 64, 150));

describe('every program is one that WebGPU takes', () => {
  test('elementwise, norms and casts', () => {
    const dtype = fc.constantFrom('f32', 'f16', 'i32', 'u8');
    const fn = fc.constantFrom('gelu', 'exp', 'log', 'neg');
    fc.assert(
      fc.property(shape, dtype, dtype, fn, fc.boolean(), (dims, from, to, unary, optional) => {
        const x = operand(dims);
        const c = operand(dims.slice(-1));
        expectValidProgram(unaryWebGpu({ x }, { y: operand(dims) }, { fn: unary }, machine));
        expectValidProgram(addScaledWebGpu({ x, y: operand(dims), scale: c }, { z: operand(dims) }, {}, machine));
        expectValidProgram(channelAffineWebGpu({ x, scale: c, shift: c }, { y: operand(dims) }, {}, machine));
        const norm = { x, ...(optional && { weight: operand(dims.slice(-1)) }) };
        expectValidProgram(layerNormWebGpu(norm, { y: operand(dims) }, { eps: 1e-6 }, machine));
        const fold = { mean: c, variance: c, ...(optional && { bias: c }) };
        const folded = { scale: operand(c.shape), shift: operand(c.shape) };
        expectValidProgram(foldBatchNormWebGpu(fold, folded, { eps: 1e-5 }, machine));
        expectValidProgram(castWebGpu({ x: operand(dims, from) }, { y: operand(dims, to) }, {}, machine));
        expectValidProgram(fillWebGpu({}, { y: operand(dims, to) }, { value: 1.5 }, machine));
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  test('broadcasting and copies', () => {
    const masks = fc.array(fc.boolean(), { minLength: 4, maxLength: 4 });
    const dtype = fc.constantFrom('f32', 'u8', 'f16');
    fc.assert(
      fc.property(shape, masks, masks, dtype, (dims, a, b, type) => {
        const [left, right] = [a, b].map((mask) => operand(dims.map((d, i) => (mask[i] ? 1 : d)))) as [
          ReturnType<typeof operand>,
          ReturnType<typeof operand>,
        ];
        const y = operand(broadcastShapes(left.shape, right.shape, 'test'));
        expectValidProgram(binaryWebGpu({ a: left, b: right }, { y }, { fn: 'maximum' }, machine));
        const strides = stridesOf(dims);
        const params = { shape: dims, fromStrides: strides.map((s) => -s), toStrides: strides.map((s) => 2 * s) };
        const offsets = { fromOffset: 5, toOffset: 8 };
        expectValidProgram(
          copyWebGpu({ x: operand(dims, type) }, { y: operand(dims, type) }, { ...params, ...offsets }, machine),
        );
      }),
      { seed: 2, numRuns: 60 },
    );
  });

  test('reductions along every axis', () => {
    fc.assert(
      fc.property(shape, fc.nat(3), fc.constantFrom('sum', 'mean', 'max'), (dims, axis, fn) => {
        const view = axisView(dims, axis % dims.length);
        const [x, y] = [operand(dims), operand([view.outer, view.inner])];
        expectValidProgram(reduceWebGpu({ x }, { y }, { fn, ...view }, machine));
        expectValidProgram(argmaxWebGpu({ x }, { y: operand(y.shape, 'i32') }, view, machine));
        expectValidProgram(softmaxWebGpu({ x }, { y: operand(dims) }, view, machine));
      }),
      { seed: 3, numRuns: 60 },
    );
  });

  test('resizing and pooling', () => {
    fc.assert(
      fc.property(image, fc.tuple(size, size), fc.tuple(size, size), ([n, h, w, c], to, through) => {
        const x = operand([n, h, w, c]);
        expectValidProgram(resizeBilinearWebGpu({ x }, { y: operand([n, ...to, c]) }, {}, machine));
        expectValidProgram(adaptiveAvgPool2dWebGpu({ x }, { y: operand([n, ...to, c]) }, {}, machine));
        const y = operand([n, ...to], c > 64 ? 'i32' : 'u8');
        expectValidProgram(resizeArgmaxWebGpu({ x }, { y }, { through }, machine));
      }),
      { seed: 4, numRuns: 60 },
    );
  });

  test('nothing to do is no step', () => {
    const [x, c] = [operand([3, 0]), operand([0])];
    expect(unaryWebGpu({ x }, { y: x }, { fn: 'exp' }, machine)).toEqual([]);
    expect(layerNormWebGpu({ x }, { y: x }, { eps: 1 }, machine)).toEqual([]);
    expect(castWebGpu({ x }, { y: operand([3, 0], 'u8') }, {}, machine)).toEqual([]);
    expect(addScaledWebGpu({ x, y: x, scale: c }, { z: x }, {}, machine)).toEqual([]);
    expect(softmaxWebGpu({ x }, { y: x }, { outer: 0, length: 3, inner: 1 }, machine)).toEqual([]);
  });

  test('a resize beyond exact integers is refused with the figures', () => {
    const x = operand([1, 1, 65536, 1]);
    const far = () => resizeBilinearWebGpu({ x }, { y: operand([1, 1, 65536, 1]) }, {}, machine);
    expect(far).toThrow('32-bit integers: this needs 8589934592, and the device has 4294967295');
  });
});
