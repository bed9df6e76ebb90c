/** UPerNet against PyTorch, and the model as users meet it. */
import ndarray from 'ndarray';
import { afterAll, describe, expect, test } from 'vitest';
import { createDevice, resizeArgmax, scope, type StateDict } from '@ii/tensor';
import { inferenceTransform } from '@ii/tensor/image';
import {
  channelsLast,
  expectClose,
  goldenStateDict,
  loadGolden,
  onEveryDevice,
  randomNumbers,
} from '@ii/tensor/testing';
import { UperNet, createUperNet } from '../src/index.js';
import { tinyConfig as tiny } from './support.js';

const golden = await loadGolden(new URL('fixtures/golden/upernet.json', import.meta.url));
const example = golden.case('eval');
const weights = goldenStateDict(example);

/** Share of pixels with the expected label among those that rounding cannot flip. */
function agreement(labels: ArrayLike<number>, expected: ArrayLike<number>, margin: ArrayLike<number>): number {
  let same = 0;
  let counted = 0;
  for (let i = 0; i < expected.length; i++) {
    if (margin[i]! <= 1e-4) continue;
    counted++;
    if (labels[i] === expected[i]) same++;
  }
  return same / counted;
}

await onEveryDevice({ describe, test, afterAll }, (device) => {
  test('logits, auxiliary logits and labels', async () => {
    const network = new UperNet(tiny);
    await network.load(device, weights);
    const image = channelsLast(example.tensor('img'));
    const { logits, aux, labels, original } = scope(() => {
      const maps = network.backbone.forward(device.tensor(image.data, image.shape));
      const output = network.decodeHead.forward(maps);
      return {
        logits: output,
        aux: network.auxiliaryHead!.forward(maps),
        labels: resizeArgmax(output, [64, 96]),
        original: resizeArgmax(output, [97, 143], [64, 96]),
      };
    });
    // The case stores no deviation of PyTorch's outputs; its gradients deviate by 3.5e-6, and 1e-5 is the rule then.
    const relative = device.name === 'reference' ? 1e-7 : 1e-5;
    const host = async (t: typeof logits) => ({ data: await t.readFloat64(), shape: t.shape });
    expectClose(await host(logits), channelsLast(example.tensor('seg_logits')), { relative }, 'logits');
    expectClose(await host(aux), channelsLast(example.tensor('aux_logits')), { relative }, 'auxiliary logits');
    const read = async (name: string, t: typeof labels): Promise<number> =>
      agreement(await t.read(), example.tensor(`pred${name}`).data, example.tensor(`margin${name}`).data);
    expect(await read('', labels)).toBe(1);
    expect(await read('_ori', original)).toBe(1);
    for (const tensor of [logits, aux, labels, original]) tensor.dispose();
    network.dispose();
  });

  test('many inferences leave the device as it was', async () => {
    const model = await createUperNet(tiny, { device, seed: 1 });
    const image = ndarray(Uint8Array.from(randomNumbers(24 * 40 * 3, { seed: 1, low: 0, high: 256 })), [24, 40, 3]);
    const options = { scale: [40, 24] as const };
    for (let i = 0; i < 3; i++) await model.segment(image, options);
    const before = device.memory();
    for (let i = 0; i < 5; i++) await model.segment(image, options);
    expect(device.memory()).toEqual(before);
    model.dispose();
  });

  test('photos that are segmented at the same time do not disturb each other', async () => {
    using model = await createUperNet(tiny, { device, seed: 1 });
    const photos = [1, 2, 3, 4].map((seed) =>
      ndarray(Uint8Array.from(randomNumbers(24 * 40 * 3, { seed, low: 0, high: 256 })), [24, 40, 3]),
    );
    const options = { scale: [64, 32] as const };
    const together = await Promise.all(photos.map((photo) => model.segment(photo, options)));
    for (const [i, photo] of photos.entries()) {
      expect(together[i]!.labels.data).toEqual((await model.segment(photo, options)).labels.data);
    }
  });

  test('changing sizes agree', async () => {
    using model = await createUperNet(tiny, { device, seed: 1 });
    const noise = (h: number, w: number, seed: number) =>
      ndarray(Uint8Array.from(randomNumbers(h * w * 3, { seed, low: 0, high: 256 })), [h, w, 3]);
    const options = { scale: [64, 32], logits: true } as const;
    const [a, b, tall] = [noise(24, 40, 1), noise(24, 40, 2), noise(40, 24, 3)];
    const first = await model.segment(a, options);
    const other = await model.segment(b, options);
    for (const [photo, expected] of [
      [a, first],
      [b, other],
      [tall, null],
      [b, other],
      [b, other],
      [a, first],
    ] as const) {
      const { labels, logits } = await model.segment(photo, options);
      if (expected) expect([labels.data, logits!.data]).toEqual([expected.labels.data, expected.logits!.data]);
    }
  });
});

describe('createUperNet', () => {
  const image = ndarray(Uint8Array.from(randomNumbers(30 * 50 * 3, { seed: 2, low: 0, high: 256 })), [30, 50, 3]);

  test('segments by the protocol', async () => {
    using device = await createDevice('reference');
    using model = await createUperNet(tiny, { device, weights });
    const { labels, inputSize, logits } = await model.segment(image, { scale: [96, 48], logits: true });
    expect(labels.shape).toEqual([30, 50]);
    expect(inputSize).toEqual([64, 96]);
    expect(logits?.shape).toEqual([1, 16, 24, 150]);
    const { input } = inferenceTransform(image, { scale: [96, 48] });
    const { expected, plain } = scope(() => {
      const output = model.network.forward(device.tensor(input.data, [1, 64, 96, 3]));
      return { expected: resizeArgmax(output, [30, 50], [64, 96]), plain: output };
    });
    expect(labels.data).toEqual(await expected.read());
    expect(logits?.data).toEqual(await plain.readFloat32());
  });

  test('several photos: equal sizes share a batch, results keep their order', async () => {
    using device = await createDevice('reference');
    using model = await createUperNet(tiny, { device, weights });
    const tall = ndarray(Uint8Array.from(randomNumbers(50 * 30 * 3, { seed: 3, low: 0, high: 256 })), [50, 30, 3]);
    const other = ndarray(Uint8Array.from(randomNumbers(30 * 50 * 3, { seed: 4, low: 0, high: 256 })), [30, 50, 3]);
    const options = { scale: [64, 32] as const };
    const together = await model.segmentAll([image, tall, other], options);
    for (const [i, photo] of [image, tall, other].entries()) {
      const alone = await model.segment(photo, options);
      expect(together[i]!.labels.shape).toEqual(photo.shape.slice(0, 2));
      expect(together[i]!.labels.data).toEqual(alone.labels.data);
    }
  });

  test('round trip: the state dict of a model loads into another', async () => {
    using device = await createDevice('reference');
    using first = await createUperNet(tiny, { device, seed: 7 });
    using second = await createUperNet(tiny, { device, weights: first.network.stateDict() });
    const options = { scale: [64, 32] as const };
    const [a, b] = [await first.segment(image, options), await second.segment(image, options)];
    expect(b.labels.data).toEqual(a.labels.data);
  });

  test('the same seed gives the same model, another seed another', async () => {
    using device = await createDevice('reference');
    const logits = async (seed: number): Promise<Float32Array> => {
      using model = await createUperNet(tiny, { device, seed });
      return (await model.segment(image, { scale: [32, 32], logits: true })).logits!.data;
    };
    expect(await logits(1)).toEqual(await logits(1));
    expect(await logits(1)).not.toEqual(await logits(2));
  });

  test('weights that do not fit are refused with a report', async () => {
    using device = await createDevice('reference');
    const create = (entries: StateDict) => createUperNet(tiny, { device, weights: entries });
    const without = new Map(weights);
    without.delete('decode_head.fpn_convs.1.conv.weight');
    await expect(create(without)).rejects.toThrow(
      /1 missing from the checkpoint:\n {4}decode_head.fpn_convs.1.conv.weight/,
    );
    const extra = new Map([...weights, ['decode_head.extra.weight', weights.get('decode_head.conv_seg.bias')!]]);
    await expect(create(extra)).rejects.toThrow(/1 not in the model:\n {4}decode_head.extra.weight/);
    const misshapen = new Map([...weights, ['decode_head.conv_seg.weight', weights.get('decode_head.conv_seg.bias')!]]);
    await expect(create(misshapen)).rejects.toThrow(
      'decode_head.conv_seg.weight (model [150, 32, 1, 1], checkpoint [150])',
    );
    const renamed = new Map([...weights].map(([name, tensor]) => [`model.${name}`, tensor]));
    await expect(create(renamed)).rejects.toThrow(/the checkpoint has 'model\.backbone/);
    expect(device.memory()).toMatchObject({ tensors: 0, used: 0 });
  });

  test('without strict, what fits is loaded and the report says what did not', async () => {
    using device = await createDevice('reference');
    const entries = new Map(weights);
    entries.delete('decode_head.conv_seg.bias');
    const network = new UperNet(tiny);
    network.initialize(device, 0);
    const report = await network.load(device, entries, { strict: false });
    expect(report).toEqual({ missing: ['decode_head.conv_seg.bias'], unexpected: [], misshapen: [] });
    const fineTuned = await network.load(device, entries, { ignore: ['decode_head.conv_seg'] });
    expect(fineTuned.missing).toEqual(['decode_head.conv_seg.bias']);
  });

  test('neither or both of weights and seed are refused; aborting stops', async () => {
    await expect(createUperNet(tiny, {})).rejects.toThrow('give either weights (a checkpoint) or seed');
    await expect(createUperNet(tiny, { weights, seed: 1 })).rejects.toThrow('give either weights');
    const abort = AbortSignal.abort();
    await expect(createUperNet(tiny, { device: 'reference', weights, signal: abort })).rejects.toThrow(/abort/i);
    using model = await createUperNet(tiny, { device: 'reference', seed: 1 });
    await expect(model.segment(image, { signal: abort })).rejects.toThrow(/abort/i);
  });

  test('one numClasses flows to both heads', async () => {
    using model = await createUperNet({ ...tiny, numClasses: 300 }, { device: 'reference', seed: 1 });
    const { labels } = await model.segment(image, { scale: [32, 32] });
    expect(labels.data).toBeInstanceOf(Uint16Array);
    const heads = [...model.network.namedParameters()].filter(([name]) => name.endsWith('conv_seg.bias'));
    expect(heads.map(([, { shape }]) => shape)).toEqual([[300], [300]]);
  });
});
