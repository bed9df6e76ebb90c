/** Every case of the golden data on every device, with its gradients. */
import { expect, test } from 'vitest';
import { record } from '../src/autograd/index.js';
import type { Device } from '../src/device.js';
import {
  adaptiveAvgPool2d,
  batchNorm,
  batchNormTrain,
  conv2d,
  crossEntropy,
  gelu,
  layerNorm,
  linear,
  relu,
  resizeBilinear,
  sigmoid,
  softmax,
} from '../src/ops/index.js';
import { sizeOf } from '../src/shape.js';
import type { Tensor } from '../src/tensor.js';
import {
  channelsLast,
  expectClose,
  hostTensor,
  loadGolden,
  precisionOf,
  tolerance,
  type GoldenArray,
  type GoldenCase,
  type HostTensor,
  type ToleranceKind,
} from '../src/testing/index.js';
import { forEveryDevice } from './support.js';

interface Operator {
  /** Matches the ids of the operator's cases. */
  readonly ids: RegExp;
  readonly kind: ToleranceKind;
  /** Whether `x` and `y` are images in PyTorch's layout. */
  readonly images?: boolean;
  /** Whether the gradient of x is a difference of terms as large as `gy`, which may cancel to nothing. */
  readonly cancels?: boolean;
  run(x: Tensor, load: (name: string) => Tensor | undefined, golden: GoldenCase): Tensor;
}

const number = (golden: GoldenCase, name: string, missing?: number): number => {
  const value = golden.params[name] ?? missing;
  if (typeof value !== 'number') throw new Error(`case ${golden.id}: parameter '${name}' is ${String(value)}`);
  return value;
};

const needed = (tensor: Tensor | undefined): Tensor => {
  if (!tensor) throw new Error('the case lacks a tensor that its operator needs');
  return tensor;
};

const operators: readonly Operator[] = [
  {
    ids: /^(dw)?conv2d_/,
    kind: 'sum',
    images: true,
    run: (x, load, golden) =>
      conv2d(x, needed(load('w')), {
        bias: load('b'),
        stride: number(golden, 'stride', 1),
        padding: number(golden, 'padding'),
        dilation: number(golden, 'dilation', 1),
        groups: number(golden, 'groups'),
      }),
  },
  { ids: /^linear_/, kind: 'sum', run: (x, load) => linear(x, needed(load('w')), { bias: load('b') }) },
  {
    ids: /^layer_norm_/,
    kind: 'norm',
    run: (x, load, golden) => layerNorm(x, { weight: load('w'), bias: load('b'), eps: number(golden, 'eps') }),
  },
  {
    ids: /^batch_norm_eval_/,
    kind: 'arithmetic',
    images: true,
    run: (x, load, golden) =>
      batchNorm(x, {
        mean: needed(load('running_mean')),
        variance: needed(load('running_var')),
        weight: load('w'),
        bias: load('b'),
        eps: number(golden, 'eps'),
      }),
  },
  { ids: /^gelu_erf$/, kind: 'function', run: gelu },
  { ids: /^relu$/, kind: 'exact', run: relu },
  { ids: /^sigmoid$/, kind: 'function', run: sigmoid },
  {
    ids: /^resize_/,
    kind: 'interpolation',
    images: true,
    run: (x, _load, golden) => resizeBilinear(x, golden.params['out_hw'] as [number, number]),
  },
  {
    ids: /^adaptive_avg_pool_/,
    kind: 'sum',
    images: true,
    run: (x, _load, golden) => adaptiveAvgPool2d(x, number(golden, 'out')),
  },
  { ids: /^softmax_/, kind: 'function', cancels: true, run: (x, _load, golden) => softmax(x, number(golden, 'axis')) },
  {
    ids: /^batch_norm_train_/,
    kind: 'norm',
    images: true,
    run: (x, load, golden) => batchNormTrain(x, { weight: load('w'), bias: load('b'), eps: number(golden, 'eps') }).y,
  },
  {
    ids: /^cross_entropy_/,
    kind: 'sum',
    images: true,
    run: (x, load, { params }) => {
      const divisor = params['divisor'] === 'all pixels' ? 'all' : 'valid';
      return crossEntropy(x, needed(load('lab')), { ignoreIndex: params['ignore_index'] as number, divisor }).loss;
    },
  },
];

const golden = await loadGolden(new URL('fixtures/golden/ops.json', import.meta.url));
const operatorsOf = (id: string): Operator[] => operators.filter(({ ids }) => ids.test(id));

test('every case is run by one operator', () => {
  expect(golden.cases).toHaveLength(56);
  for (const { id } of golden.cases) expect([id, operatorsOf(id).length]).toEqual([id, 1]);
});

/** Tensors of a case as this project lays them out. */
function host(item: GoldenCase, { images }: Operator, name: string): HostTensor<GoldenArray> {
  const { data, shape } = item.tensor(name);
  const image = images && ['x', 'y'].includes(name.replace(/^g_?/, '')) && shape.length === 4;
  return image ? channelsLast({ data, shape }) : { data, shape };
}

/** The result, and the gradients of x, w and b as far as the case has them. */
async function run(device: Device, operator: Operator, item: GoldenCase): Promise<Map<string, HostTensor>> {
  const loaded = new Map<string, Tensor>();
  const load = (name: string): Tensor | undefined => {
    if (!item.has(name)) return undefined;
    const { data, shape } = host(item, operator, name);
    const tensor = loaded.get(name) ?? device.tensor(data, shape);
    loaded.set(name, tensor);
    return tensor;
  };
  const sources = ['x', 'w', 'b'].filter((name) => item.has(name));
  const { value: y, backward } = record(
    () => operator.run(needed(load('x')), load, item),
    sources.map((name) => needed(load(name))),
  );
  const gradients = backward(y, load('gy'));
  const results = new Map([['y', await hostTensor(y)]]);
  for (const [i, name] of sources.entries())
    results.set(`g_${name}`, await hostTensor(needed(gradients[i] ?? undefined)));
  for (const tensor of [y, ...gradients, ...loaded.values()]) tensor?.dispose();
  return results;
}

const largest = (data: GoldenArray): number =>
  Array.from(data).reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** How many terms the sums over pixels have that the gradients of weights and biases are. */
const terms = (item: GoldenCase): number => sizeOf(item.tensor('gy').shape);

await forEveryDevice((device) => {
  for (const operator of operators) {
    for (const item of golden.cases.filter(({ id }) => operator.ids.test(id))) {
      test(item.id, async () => {
        const before = device.memory().tensors;
        for (const [name, actual] of await run(device, operator, item)) {
          const gradient = name === 'g_w' || name === 'g_b';
          const bound = gradient
            ? tolerance('sum', precisionOf(device), terms(item))
            : tolerance(operator.kind, precisionOf(device));
          expect(bound.relative).toBeLessThanOrEqual(1e-5);
          const magnitude = largest(item.tensor('gy').data);
          const of = operator.cancels && name === 'g_x' ? { ...bound, magnitude } : bound;
          expectClose(actual, host(item, operator, name), of, `${item.id} ${name}`);
        }
        expect(device.memory().tensors).toBe(before);
      });
    }
  }
});
