/** Gradient kernels against PyTorch's gradients, on every device. */
import { expect, test } from 'vitest';
import type { Device } from '../src/device.js';
import {
  adaptiveAvgPool2dGradient,
  batchNormGradient,
  batchNormReduce,
  channelMoments,
  crossEntropyForward,
  crossEntropyGradient,
  depthwiseConv2dWeightGradient,
  layerNormGradient,
  layerNormParameterGradient,
  resizeBilinearGradient,
  unaryGradient,
} from '../src/ops/gradients/index.js';
import type { UnaryFunction } from '../src/ops/index.js';
import { mul, sum } from '../src/ops/index.js';
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

const golden = await loadGolden(new URL('fixtures/golden/ops.json', import.meta.url));
const casesOf = (ids: RegExp): GoldenCase[] => golden.cases.filter(({ id }) => ids.test(id));

function host(item: GoldenCase, name: string): HostTensor<Float32Array> {
  const { data, shape } = item.tensor(name);
  if (!(data instanceof Float32Array)) throw new Error(`case ${item.id}: '${name}' is not f32`);
  return { data, shape };
}

/** As images of ours, where the case has PyTorch's layout. */
function image(item: GoldenCase, name: string): HostTensor<Float32Array> {
  return channelsLast(host(item, name));
}

const number = (item: GoldenCase, name: string, missing = NaN): number => Number(item.params[name] ?? missing);

await forEveryDevice((device: Device) => {
  const upload = ({ data, shape }: HostTensor<Float32Array>): Tensor => device.tensor(data, shape);

  /** Compares gradients by name with what the case says they are. */
  async function check(
    item: GoldenCase,
    kind: ToleranceKind,
    expected: (name: string) => HostTensor,
    body: () => Record<string, Tensor>,
  ): Promise<void> {
    const before = device.memory().tensors;
    const tensors: [string, Tensor][] = [];
    const results = scope(() => {
      tensors.push(...Object.entries(body()));
      return tensors.map(([, tensor]) => tensor);
    });
    for (const [name, tensor] of tensors) {
      const bound = tolerance(kind, precisionOf(device));
      expectClose(await hostTensor(tensor), expected(name), bound, `${item.id} ${name}`);
    }
    for (const tensor of results) tensor.dispose();
    expect(device.memory().tensors).toBe(before);
  }

  const functions: readonly (readonly [id: string, fn: UnaryFunction, kind: ToleranceKind])[] = [
    ['gelu_erf', 'gelu', 'function'],
    ['relu', 'relu', 'exact'],
    ['sigmoid', 'sigmoid', 'function'],
  ];
  test.for(functions)('%s', async ([id, fn, kind]) => {
    const item = golden.case(id);
    await check(
      item,
      kind,
      (name) => host(item, name),
      () => ({ g_x: unaryGradient(fn, upload(host(item, 'x')), upload(host(item, 'gy'))) }),
    );
  });

  test.for(casesOf(/^layer_norm_/))('$id', async (item) => {
    await check(
      item,
      'norm',
      (name) => host(item, name),
      () => {
        const [x, gy] = [upload(host(item, 'x')), upload(host(item, 'gy'))];
        const eps = number(item, 'eps');
        const { weight, bias } = layerNormParameterGradient(x, gy, { eps });
        return { g_x: layerNormGradient(x, gy, { weight: upload(host(item, 'w')), eps }), g_w: weight, g_b: bias };
      },
    );
  });

  test.for(casesOf(/^batch_norm_train_/))('$id', async (item) => {
    const expected = (name: string): HostTensor => (name === 'g_x' ? image(item, name) : host(item, name));
    await check(item, 'norm', expected, () => {
      const [x, gy] = [upload(image(item, 'x')), upload(image(item, 'gy'))];
      const eps = number(item, 'eps');
      const { mean, variance } = channelMoments(x);
      const { weight, bias } = batchNormReduce(x, gy, mean, variance, eps);
      const count = x.size / mean.size;
      const statistics = { mean, variance, weight: upload(host(item, 'w')), eps, count };
      return {
        g_x: batchNormGradient(x, gy, { ...statistics, gradWeight: weight, gradBias: bias }),
        g_w: weight,
        g_b: bias,
      };
    });
  });

  test.for(casesOf(/^batch_norm_train_/))('$id: statistics give the running ones after the step', async (item) => {
    const { mean, variance } = channelMoments(upload(image(item, 'x')));
    const [means, variances] = [await hostTensor(mean), await hostTensor(variance)];
    const count = image(item, 'x').data.length / means.data.length;
    const momentum = number(item, 'momentum');
    const blend = (before: HostTensor, now: HostTensor, factor: number): HostTensor => ({
      shape: now.shape,
      data: Array.from(now.data, (v, c) => (1 - momentum) * before.data[c]! + momentum * factor * v),
    });
    const bound = tolerance('norm', precisionOf(device));
    expectClose(blend(host(item, 'running_mean'), means, 1), host(item, 'running_mean_after'), bound);
    const unbiased = count / (count - 1);
    expectClose(blend(host(item, 'running_var'), variances, unbiased), host(item, 'running_var_after'), bound);
  });

  test.for(casesOf(/^batch_norm_eval_/))('$id', async (item) => {
    await check(
      item,
      'norm',
      (name) => host(item, name),
      () => {
        const [mean, variance] = [upload(host(item, 'running_mean')), upload(host(item, 'running_var'))];
        const [x, gy] = [upload(image(item, 'x')), upload(image(item, 'gy'))];
        const { weight, bias } = batchNormReduce(x, gy, mean, variance, number(item, 'eps'));
        return { g_w: weight, g_b: bias };
      },
    );
  });

  test.for(casesOf(/^resize_/))('$id', async (item) => {
    const size = item.params['in_hw'] as [number, number];
    await check(
      item,
      'sum',
      (name) => image(item, name),
      () => ({ g_x: resizeBilinearGradient(upload(image(item, 'gy')), size) }),
    );
  });

  test.for(casesOf(/^adaptive_avg_pool_/))('$id', async (item) => {
    const size = item.params['in_hw'] as [number, number];
    await check(
      item,
      'arithmetic',
      (name) => image(item, name),
      () => ({ g_x: adaptiveAvgPool2dGradient(upload(image(item, 'gy')), size) }),
    );
  });

  test.for(casesOf(/^dwconv2d_/))('$id', async (item) => {
    const kernel = number(item, 'kernel');
    await check(
      item,
      'sum',
      (name) => host(item, name),
      () => {
        const [x, gy] = [upload(image(item, 'x')), upload(image(item, 'gy'))];
        return {
          g_w: depthwiseConv2dWeightGradient(x, gy, [kernel, kernel], { padding: number(item, 'padding') }),
        };
      },
    );
  });

  test.for(casesOf(/^cross_entropy_/))('$id', async (item) => {
    const { data: labels, shape } = item.tensor('lab');
    const ignoreIndex = number(item, 'ignore_index');
    const all = item.params['divisor'] === 'all pixels';
    const count = all ? labels.length : labels.filter((label) => label !== ignoreIndex).length;
    const expected = (name: string): HostTensor => (name === 'g_x' ? image(item, name) : host(item, name));
    for (const dtype of ['u8', 'i32'] as const) {
      await check(item, 'function', expected, () => {
        const x = upload(image(item, 'x'));
        const lab = device.tensor(Array.from(labels), shape, { dtype });
        const { loss } = crossEntropyForward(x, lab, { ignoreIndex });
        const scale = device.tensor(Float64Array.of(host(item, 'gy').data[0]! / count), []);
        return {
          y: mul(sum(loss), 1 / count),
          g_x: crossEntropyGradient(x, lab, scale, { ignoreIndex }),
        };
      });
    }
  });
});
