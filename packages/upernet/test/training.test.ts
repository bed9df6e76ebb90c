/** Losses, gradients and running statistics of the whole model against PyTorch. */
import { afterAll, describe, expect, test } from 'vitest';
import { Random, backward, record, type Device, type Tensor } from '@ii/tensor';
import {
  channelsLast,
  expectClose,
  goldenStateDict,
  hostTensor,
  isSwiftShader,
  loadGolden,
  onEveryDevice,
  type GoldenCase,
} from '@ii/tensor/testing';
import { UperNet, type UperNetConfig } from '../src/index.js';
import { tinyConfig } from './support.js';

const golden = await loadGolden(new URL('fixtures/golden/upernet.json', import.meta.url));
const weights = goldenStateDict(golden.case('eval'));

/** As the golden data was made. */
const withoutDropout: UperNetConfig = {
  ...tinyConfig,
  decodeHead: { ...tinyConfig.decodeHead, dropoutRatio: 0 },
  auxiliaryHead: { ...tinyConfig.auxiliaryHead, dropoutRatio: 0 },
};

function batch(device: Device, example: GoldenCase): { images: Tensor; labels: Tensor } {
  const image = channelsLast(example.tensor('img'));
  const label = example.tensor('label');
  return {
    images: device.tensor(image.data, image.shape),
    labels: device.tensor(Uint8Array.from(label.data), label.shape),
  };
}

await onEveryDevice({ describe, test, afterAll }, (device) => {
  test.each(['eval', 'train'])('losses and gradients, %s', async (id) => {
    const example = golden.case(id);
    const before = device.memory().tensors;
    const network = new UperNet(withoutDropout);
    await network.load(device, weights);
    if (id === 'train') network.train({ random: new Random(1) });
    const { images, labels } = batch(device, example);
    const parameters = [...network.namedParameters()];
    const recording = record(() => network.losses(images, labels), [images, ...parameters.map(([, p]) => p.tensor)]);
    const { total, decode, auxiliary } = recording.value;
    const scalars = [decode.loss, auxiliary!.loss, total];
    const values = await Promise.all(scalars.map(async (tensor) => (await tensor.readFloat64())[0]!));
    const accuracies = await Promise.all(
      [decode, auxiliary!].map(async ({ accuracy }) => (await accuracy.readFloat64())[0]!),
    );
    const gradients = recording.backward(total);

    const deviation = example.params['torch_float32_deviation'] as { grad_rel_worst: number; loss_rel: number };
    const oracle = device.name === 'reference';
    // PyTorch's own loss is, in one case, the f32 nearest to the exact one: no other f32 is ten times as far. Its neighbour
    // is right, too, for which a unit in the last place is allowed.
    const lossBound = oracle ? 1e-7 : Math.max(10 * deviation.loss_rel, 2 ** -23);
    const gradientBound = oracle ? 1e-7 : 10 * deviation.grad_rel_worst;
    const expected = [...example.tensor('losses').data];
    values.forEach((value, i) => expect(Math.abs(value / expected[i]! - 1)).toBeLessThan(lossBound));
    expectClose({ shape: [2], data: accuracies }, percent(example), { relative: 1e-6 }, 'accuracies');
    for (const [i, name] of ['gimg', ...parameters.map(([key]) => `grad.${key}`)].entries()) {
      const stored = example.tensor(name);
      const wanted = name === 'gimg' ? channelsLast(stored) : stored;
      const { shape, data } = await hostTensor(gradients[i]!);
      expectClose({ shape, data }, wanted, { relative: gradientBound }, `${id} ${name}`);
    }

    const after = example.names.filter((name) => name.startsWith('after.'));
    expect(after.length).toBe(id === 'train' ? 39 : 0);
    const state = new Map(network.namedState());
    for (const name of after) {
      const { shape, data } = await hostTensor(state.get(name.slice('after.'.length))!.tensor);
      expectClose({ shape, data }, example.tensor(name), { relative: oracle ? 1e-7 : 1e-5 }, name);
    }
    for (const tensor of [...scalars, decode.accuracy, auxiliary!.accuracy, images, labels, ...gradients])
      tensor?.dispose();
    network.dispose();
    expect(device.memory().tensors).toBe(before);
  });

  test('backward adds to the gradients of what is trainable', async (context) => {
    if (isSwiftShader(device)) context.skip('SwiftShader takes half a minute; every other device runs it');
    const network = new UperNet(tinyConfig);
    await network.load(device, weights);
    network.train({ random: new Random(1) });
    const { images, labels } = batch(device, golden.case('eval'));
    const [, first] = [...network.namedParameters()][0]!;
    const [, last] = [...network.namedParameters()].at(-1)!;
    first.trainable = false;
    const loss = (): Tensor => network.losses(images, labels).total;
    backward(network, loss).dispose();
    const once = await last.gradient!.readFloat64();
    // Dropout would differ between the passes.
    network.train(null);
    network.zeroGradients();
    expect(last.gradient).toBeNull();
    for (let i = 0; i < 2; i++) backward(network, loss).dispose();
    expect(first.gradient).toBeNull();
    const twice = await last.gradient!.readFloat64();
    network.zeroGradients();
    backward(network, loss).dispose();
    const single = await last.gradient!.readFloat64();
    expect(Array.from(twice)).toEqual(Array.from(single, (value) => 2 * value));
    expect(once.length).toBe(single.length);
    for (const tensor of [images, labels]) tensor.dispose();
    network.dispose();
  });
});

/** The stored accuracies are percentages. */
function percent(example: GoldenCase): { shape: readonly number[]; data: number[] } {
  const { shape, data } = example.tensor('acc');
  return { shape, data: Array.from(data, (value) => value / 100) };
}
