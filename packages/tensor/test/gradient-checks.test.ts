/** Finite differences in f64, for every operator that the package exports. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { noGrad, record } from '../src/autograd/index.js';
import { createDevice } from '../src/create-device.js';
import * as ops from '../src/ops/index.js';
import { scope } from '../src/scope.js';
import type { Tensor } from '../src/tensor.js';
import { randomNumbers } from '../src/testing/index.js';
import { sizeOf, type Shape } from '../src/shape.js';

interface Check {
  /** Shapes of the inputs to differentiate with respect to, with the range of their values. */
  readonly inputs: readonly (readonly [shape: Shape, low?: number, high?: number])[];
  run(...inputs: Tensor[]): Tensor;
}

const device = await createDevice('reference');
const labels = (values: readonly number[], shape: Shape): Tensor => device.tensor(Uint8Array.from(values), shape);

/** Values far enough from each other that a difference does not change which is the largest. */
const distinct = device.tensor(
  Array.from({ length: 24 }, (_, i) => ((i * 7) % 24) / 3 - 4),
  [2, 3, 4],
);

const epilogue: Check['inputs'] = [[[4]], [[4]], [[4]]];
const withEpilogue = ([scale, bias, layerScale, residual]: readonly Tensor[]): ops.EpilogueOptions => ({
  scale,
  bias,
  layerScale,
  residual,
  activation: 'gelu',
});

const checks: { readonly [K in keyof typeof ops]?: readonly Check[] } = {
  relu: [{ inputs: [[[3, 5]]], run: ops.relu }],
  gelu: [{ inputs: [[[3, 5], -4, 4]], run: ops.gelu }],
  silu: [{ inputs: [[[3, 5], -4, 4]], run: ops.silu }],
  sigmoid: [{ inputs: [[[3, 5], -4, 4]], run: ops.sigmoid }],
  exp: [{ inputs: [[[3, 5]]], run: ops.exp }],
  log: [{ inputs: [[[3, 5], 0.3, 3]], run: ops.log }],
  sqrt: [{ inputs: [[[3, 5], 0.3, 3]], run: ops.sqrt }],
  abs: [{ inputs: [[[3, 5]]], run: ops.abs }],
  neg: [{ inputs: [[[3, 5]]], run: ops.neg }],
  add: [
    { inputs: [[[2, 3, 4]], [[3, 1]]], run: ops.add },
    { inputs: [[[4]], [[2, 3, 4]]], run: ops.add },
    { inputs: [[[2, 3]]], run: (x) => ops.add(x, x) },
  ],
  sub: [{ inputs: [[[2, 3, 4]], [[3, 1]]], run: ops.sub }],
  mul: [
    { inputs: [[[2, 3, 4]], [[3, 1]]], run: ops.mul },
    { inputs: [[[2, 3]]], run: (x) => ops.mul(x, x) },
    { inputs: [[[2, 3]]], run: (x) => ops.mul(x, 3) },
  ],
  div: [{ inputs: [[[2, 3, 4]], [[3, 1], 0.5, 2]], run: ops.div }],
  maximum: [{ inputs: [[[2, 3, 4]], [[3, 1]]], run: ops.maximum }],
  minimum: [{ inputs: [[[2, 3, 4]], [[3, 1]]], run: ops.minimum }],
  addScaled: [{ inputs: [[[2, 3, 4]], [[2, 3, 4]], [[4]]], run: ops.addScaled }],
  cast: [{ inputs: [[[2, 3]]], run: (x) => ops.cast(x, 'f32') }],
  reshape: [{ inputs: [[[2, 6]]], run: (x) => ops.reshape(x, [3, -1]) }],
  permute: [{ inputs: [[[2, 3, 4]]], run: (x) => ops.permute(x, [2, 0, 1]) }],
  flip: [{ inputs: [[[2, 3, 4]]], run: (x) => ops.flip(x, [0, -1]) }],
  slice: [{ inputs: [[[3, 4, 5]]], run: (x) => ops.slice(x, [1, -3], [undefined, -1]) }],
  concat: [{ inputs: [[[2, 1, 3]], [[2, 4, 3]]], run: (a, b) => ops.concat([a!, b!, a!], 1) }],
  pad: [
    {
      inputs: [[[2, 3]]],
      run: (x) =>
        ops.pad(
          x,
          [
            [1, 0],
            [2, 3],
          ],
          5,
        ),
    },
  ],
  sum: [
    { inputs: [[[2, 3, 4]]], run: (x) => ops.sum(x) },
    { inputs: [[[2, 3, 4]]], run: (x) => ops.sum(x, { axes: [0, 2], keepDims: true }) },
  ],
  sumSquares: [{ inputs: [[[2, 3, 4]]], run: (x) => ops.sumSquares(x, { axes: 1 }) }],
  mean: [{ inputs: [[[2, 3, 4]]], run: (x) => ops.mean(x, { axes: 1 }) }],
  max: [
    { inputs: [[[2, 3, 4], -0.01, 0.01]], run: (x) => ops.max(ops.add(x, distinct), { axes: [0, 2] }) },
    { inputs: [[[2, 3, 4], -0.01, 0.01]], run: (x) => ops.max(ops.add(x, distinct)) },
  ],
  min: [{ inputs: [[[2, 3, 4], -0.01, 0.01]], run: (x) => ops.min(ops.add(x, distinct), { axes: 1, keepDims: true }) }],
  broadcastTo: [{ inputs: [[[3, 1]]], run: (x) => ops.broadcastTo(x, [2, 3, 4]) }],
  sumTo: [{ inputs: [[[2, 3, 4]]], run: (x) => ops.sumTo(x, [3, 1]) }],
  softmax: [
    { inputs: [[[2, 3, 4], -3, 3]], run: (x) => ops.softmax(x) },
    { inputs: [[[2, 3, 4], -3, 3]], run: (x) => ops.softmax(x, 1) },
  ],
  matmul: ([false, true] as const).flatMap((transposeA) =>
    ([false, true] as const).map((transposeB) => ({
      inputs: [[transposeA ? [2, 4, 3] : [2, 3, 4]], [transposeB ? [5, 4] : [4, 5]]] as const,
      run: (a: Tensor, b: Tensor) => ops.matmul(a, b, { transposeA, transposeB }),
    })),
  ) as readonly Check[],
  linear: [
    { inputs: [[[2, 3, 5]], [[4, 5]], [[4]]], run: (x, w, bias) => ops.linear(x!, w!, { bias }) },
    {
      inputs: [[[2, 3, 5]], [[4, 5]], ...epilogue, [[2, 3, 4]]],
      run: (x, w, ...rest) => ops.linear(x!, w!, withEpilogue(rest)),
    },
  ],
  layerNorm: [
    {
      inputs: [[[2, 3, 5]], [[5]], [[5]]],
      run: (x, weight, bias) => ops.layerNorm(x!, { weight, bias, eps: 1e-6 }),
    },
    { inputs: [[[3, 5]]], run: (x) => ops.layerNorm(x) },
  ],
  batchNorm: [
    {
      inputs: [[[2, 3, 4]], [[4]], [[4]]],
      run: (x, weight, bias) => {
        const mean = device.tensor([0.1, -0.2, 0.3, 0], [4]);
        const variance = device.tensor([0.5, 1, 2, 0.1], [4]);
        return ops.batchNorm(x!, { mean, variance, weight, bias });
      },
    },
  ],
  batchNormTrain: [
    { inputs: [[[2, 3, 4]], [[4]], [[4]]], run: (x, weight, bias) => ops.batchNormTrain(x!, { weight, bias }).y },
    { inputs: [[[5, 3]]], run: (x) => ops.batchNormTrain(x, { eps: 0.1 }).y },
  ],
  resizeBilinear: [
    { inputs: [[[1, 3, 4, 2]]], run: (x) => ops.resizeBilinear(x, [7, 5]) },
    { inputs: [[[1, 6, 7, 2]]], run: (x) => ops.resizeBilinear(x, [4, 3]) },
  ],
  adaptiveAvgPool2d: [{ inputs: [[[1, 5, 7, 2]]], run: (x) => ops.adaptiveAvgPool2d(x, [2, 3]) }],
  conv2d: [
    { inputs: [[[2, 5, 4, 3]], [[4, 3, 3, 3]], [[4]]], run: (x, w, bias) => ops.conv2d(x!, w!, { bias, padding: 1 }) },
    // Rows and columns beyond the last window, and none at all for some taps.
    {
      inputs: [[[1, 8, 7, 2]], [[3, 2, 3, 2]]],
      run: (x, w) => ops.conv2d(x!, w!, { stride: [2, 3], padding: [1, 0] }),
    },
    { inputs: [[[1, 9, 9, 2]], [[3, 2, 3, 3]]], run: (x, w) => ops.conv2d(x!, w!, { stride: 4, padding: 0 }) },
    { inputs: [[[1, 7, 7, 2]], [[3, 2, 1, 1]]], run: (x, w) => ops.conv2d(x!, w!, { stride: 2, padding: 1 }) },
    {
      inputs: [[[1, 9, 8, 2]], [[2, 2, 3, 3]]],
      run: (x, w) => ops.conv2d(x!, w!, { stride: 2, dilation: 2, padding: 3 }),
    },
    { inputs: [[[1, 6, 6, 4]], [[6, 2, 3, 3]]], run: (x, w) => ops.conv2d(x!, w!, { groups: 2, padding: [3, 0] }) },
    { inputs: [[[1, 6, 5, 3]], [[3, 1, 3, 3]]], run: (x, w) => ops.conv2d(x!, w!, { groups: 3, padding: 1 }) },
    {
      inputs: [[[1, 6, 5, 3]], [[3, 1, 5, 5]]],
      run: (x, w) => ops.conv2d(x!, w!, { groups: 3, padding: 2, stride: 2 }),
    },
    {
      inputs: [[[1, 4, 4, 2]], [[4, 2, 3, 3]], ...epilogue, [[1, 4, 4, 4]]],
      run: (x, w, ...rest) => ops.conv2d(x!, w!, { padding: 1, ...withEpilogue(rest) }),
    },
  ],
  conv2dPyramid: [
    {
      inputs: [[[1, 5, 7, 2]], [[1, 3, 4, 1]], [[1, 1, 1, 2]], [[3, 5, 3, 3]], [[3]]],
      run: (a, b, c, w, bias) => ops.conv2dPyramid([a!, b!, c!], w!, { bias }),
    },
    {
      inputs: [[[2, 4, 4, 2]], [[2, 2, 2, 1]], [[4, 3, 3, 3]], ...epilogue, [[2, 4, 4, 4]]],
      run: (a, b, w, ...rest) => ops.conv2dPyramid([a!, b!], w!, withEpilogue(rest)),
    },
  ],
  resizeCrossEntropy: [
    {
      inputs: [[[2, 3, 2, 4], -3, 3]],
      run: (x) => {
        const truth = Array.from({ length: 2 * 5 * 7 }, (_, i) => (i % 9 === 4 ? 255 : (i * 5) % 4));
        return ops.resizeCrossEntropy(x, labels(truth, [2, 5, 7])).loss;
      },
    },
  ],
  crossEntropy: [
    {
      inputs: [[[2, 3, 4], -3, 3]],
      run: (x) => ops.crossEntropy(x, labels([0, 3, 255, 1, 1, 2], [2, 3])).loss,
    },
    {
      inputs: [[[2, 3, 4], -3, 3]],
      run: (x) => ops.crossEntropy(x, labels([0, 3, 255, 1, 1, 2], [2, 3]), { divisor: 'valid' }).loss,
    },
  ],
};

/** Operators whose results are no differentiable function of their inputs, or that change tensors in place. */
const without = new Set<keyof typeof ops>([
  'argmax',
  'resizeArgmax',
  'greater',
  'equal',
  'full',
  'copyInto',
  'foldBatchNorm',
  'convOutputSize',
]);

const step = 1e-5;

async function check({ inputs, run }: Check): Promise<void> {
  const values = inputs.map(([shape, low = -1, high = 1], i) =>
    Float64Array.from(randomNumbers(sizeOf(shape), { low, high, seed: 17 + i })),
  );
  const upload = (): Tensor[] => values.map((data, i) => device.tensor(data, inputs[i]![0]));
  const weigh = (y: Tensor): Tensor => {
    const weights = device.tensor(Float64Array.from(randomNumbers(y.size, { low: -1, high: 1, seed: 99 })), y.shape);
    return ops.sum(ops.mul(y, weights));
  };
  const evaluate = async (): Promise<number> => {
    const y = scope(() => weigh(run(...upload())));
    const [value] = await y.readFloat64();
    y.dispose();
    return value!;
  };

  const sources = upload();
  const { value, backward } = record(() => weigh(run(...sources)), sources);
  const gradients = backward(value);
  for (const [i, data] of values.entries()) {
    const gradient = await gradients[i]!.readFloat64();
    const scale = gradient.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-3);
    for (let at = 0; at < data.length; at++) {
      const middle = data[at]!;
      data[at] = middle + step;
      const above = await evaluate();
      data[at] = middle - step;
      const below = await evaluate();
      data[at] = middle;
      const difference = (above - below) / (2 * step);
      // The difference quotient errs by step² of a third derivative and by 1e-16 / step of rounding.
      if (!(Math.abs(difference - gradient[at]!) <= 1e-7 * scale)) {
        expect.fail(`input ${i} [${at}]: gradient ${gradient[at]}, difference ${difference}`);
      }
    }
  }
}

for (const [name, cases] of Object.entries(checks)) {
  cases.forEach((item, i) => test(`${name} ${i}`, () => check(item)));
}

test('every exported operator is checked, or is known to have no gradient', () => {
  const exported = Object.keys(ops).toSorted();
  expect([...Object.keys(checks), ...without].toSorted()).toEqual(exported);
});

test('every exported operator has a docstring', async () => {
  const names = new Set(Object.keys(ops));
  const index = await readFile(new URL('../src/ops/index.ts', import.meta.url), 'utf8');
  const files = [...index.matchAll(/from '\.\/([\w-]+)\.js'/g)].map(([, file]) => `../src/ops/${file}.ts`);
  const documented = new Set<string>();
  for (const file of [...files, '../src/ops/conv2d-forward.ts']) {
    const source = await readFile(new URL(file, import.meta.url), 'utf8');
    for (const [, name] of source.matchAll(/\*\/\nexport (?:function|const) (\w+)/g)) documented.add(name!);
  }
  expect([...names].filter((name) => !documented.has(name))).toEqual([]);
});

test('nothing is recorded under noGrad, and what does not depend on a source has no gradient', async () => {
  const x = device.tensor([1, 2], [2]);
  const other = device.tensor([3], [1]);
  const { value, backward } = record(() => ops.add(ops.sum(noGrad(() => ops.mul(x, x))), ops.sum(x)), [x, other, x]);
  const [first, second, third] = backward(value);
  expect([...(await first!.read())]).toEqual([1, 1]);
  expect(second).toBeNull();
  expect([...(await third!.read())]).toEqual([1, 1]);
});
