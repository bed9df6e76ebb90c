/** Every forward case of the golden data on every device. */
import { expect, test } from 'vitest';
import type { Device } from '../src/device.js';
import {
  adaptiveAvgPool2d,
  batchNorm,
  conv2d,
  gelu,
  layerNorm,
  linear,
  relu,
  resizeBilinear,
  sigmoid,
  softmax,
} from '../src/ops/index.js';
import { scope } from '../src/scope.js';
import type { Tensor } from '../src/tensor.js';
import {
  channelsLast,
  expectClose,
  hostTensor,
  loadGolden,
  precisionOf,
  tolerance,
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
  { ids: /^softmax_/, kind: 'function', run: (x, _load, golden) => softmax(x, number(golden, 'axis')) },
];

/** Cases of operators that are still to be written. */
const later = new Map([
  ['batch_norm_train_0', 'batch statistics come with training'],
  ['batch_norm_train_1', 'batch statistics come with training'],
  ['cross_entropy_mmseg_0', 'losses come with training'],
  ['cross_entropy_mmseg_1', 'losses come with training'],
  ['cross_entropy_mmseg_2', 'losses come with training'],
  ['cross_entropy_nonignored_0', 'losses come with training'],
  ['cross_entropy_nonignored_1', 'losses come with training'],
]);

const golden = await loadGolden(new URL('fixtures/golden/ops.json', import.meta.url));
const operatorsOf = (id: string): Operator[] => operators.filter(({ ids }) => ids.test(id));

test('every case is run by one operator, or is listed with the reason why not', () => {
  expect(golden.cases).toHaveLength(56);
  for (const { id } of golden.cases) expect([id, operatorsOf(id).length]).toEqual([id, later.has(id) ? 0 : 1]);
  for (const id of later.keys()) expect(golden.case(id).id).toBe(id);
});

async function run(device: Device, operator: Operator, item: GoldenCase): Promise<HostTensor> {
  const host = (name: string): HostTensor<Float32Array> => {
    const { data, shape, layout } = item.tensor(name);
    if (!(data instanceof Float32Array)) throw new Error(`case ${item.id}: '${name}' is not f32`);
    return layout === 'NCHW' && operator.images ? channelsLast({ data, shape }) : { data, shape };
  };
  const load = (name: string): Tensor | undefined => {
    if (!item.has(name)) return undefined;
    const { data, shape } = host(name);
    return device.tensor(data, shape);
  };
  const y = scope(() => operator.run(needed(load('x')), load, item));
  const result = await hostTensor(y);
  y.dispose();
  return result;
}

await forEveryDevice((device) => {
  for (const operator of operators) {
    for (const item of golden.cases.filter(({ id }) => operator.ids.test(id))) {
      test(item.id, async () => {
        const { shape, data } = item.tensor('y');
        const expected = operator.images ? channelsLast({ shape, data }) : { shape, data };
        const actual = await run(device, operator, item);
        const bound = tolerance(operator.kind, precisionOf(device));
        expect(bound.relative).toBeLessThanOrEqual(1e-5);
        expectClose(actual, expected, bound, item.id);
      });
    }
  }
});
