/** DCNv3 on activations stored as halves. */
import { afterAll, describe, expect, test } from 'vitest';
import { createDevice, scope, type Device, type Shape, type Tensor } from '@ii/tensor';
import {
  asHalves,
  devices,
  expectClose,
  expectHalves,
  hostTensor,
  nullGpu,
  randomNumbers,
  roundedToHalf,
  tolerance,
  type HostTensor,
} from '@ii/tensor/testing';
import { dcnv3, type DCNv3CoreOptions } from '../src/dcnv3.js';

const options = { activationStorage: 'f16' } as const;
const [made] = await devices([{ title: 'webgpu', name: 'webgpu', options }]);
const oracle = await createDevice('reference');
const native = await createDevice('webgpu', { ...options, gpu: await nullGpu() });
afterAll(() => {
  made?.device?.dispose();
  native.dispose();
});

type Options = Omit<DCNv3CoreOptions, 'centerScale'>;

interface Case {
  readonly channels: number;
  readonly options: Options;
  /** Whether there is a share of the centre. */
  readonly centred: boolean;
  /** How the result is stored. */
  readonly result: 'f32' | 'f16';
}

const cases: Readonly<Record<string, Case>> = {
  'groups of four channels': {
    ...{ channels: 8, options: { groups: 2, softmax: true }, centred: true, result: 'f16' },
  },
  'groups of three channels, a scale': {
    ...{ channels: 6, options: { groups: 2, offsetScale: 1.5 }, centred: false, result: 'f32' },
  },
  'groups of two channels, which are not written as halves': {
    ...{ channels: 4, options: { groups: 2 }, centred: true, result: 'f32' },
  },
};

/** x, offset, mask and, if asked for, the share of the centre; all values are halves. */
function inputsOf({ channels, options: { groups }, centred }: Case): HostTensor<Float32Array>[] {
  const make = (shape: Shape, seed: number, low = -1): HostTensor<Float32Array> => {
    const size = shape.reduce((a, b) => a * b, 1);
    return { shape, data: randomNumbers(size, { seed, low, high: 1 }).map(roundedToHalf) };
  };
  const map = [1, 4, 5];
  const inputs = [make([...map, channels], 1), make([...map, groups * 18], 2), make([...map, groups * 9], 3)];
  return centred ? [...inputs, make([...map, groups], 4, 0)] : inputs;
}

function run(device: Device, one: Case, inputs: readonly HostTensor<Float32Array>[]): Tensor {
  return scope(() => {
    const given = inputs.map(({ shape, data }) => device.tensor(data, shape));
    const [x, offset, mask, centerScale] = device.name === 'webgpu' ? given.map(asHalves) : given;
    return dcnv3(x!, offset!, mask!, { ...one.options, centerScale });
  });
}

describe.for(Object.entries(cases))('%s', ([, one]) => {
  const inputs = inputsOf(one);

  test('as f64 computes it from the same halves', async (context) => {
    if (!made?.device) return context.skip(made?.reason);
    const expected = await hostTensor(run(oracle, one, inputs));
    let y: Tensor | undefined;
    const entries = await made.device.trace(() => (y = run(made.device!, one, inputs)));
    expect(entries.at(-1)!.steps.map(({ step }) => step)).toEqual(['dcnv3']);
    const actual = await hostTensor(y!);
    // At most 36 products per element, and weights of few roundings.
    const bound = tolerance('sum', 'f32');
    if (one.result === 'f16') expectHalves(actual, expected, bound);
    else expectClose(actual, expected, bound);
  });

  test('valid with shader-f16', async () => {
    run(native, one, inputs);
    await native.finish();
  });
});
