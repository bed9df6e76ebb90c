/** A whole model with activations stored as halves against the same model in f32. */
import { afterAll, expect, test } from 'vitest';
import {
  resizeArgmax,
  scope,
  storedTensor,
  type Device,
  type HostArray,
  type StateDict,
  type Tensor,
} from '@ii/tensor';
import { devices, expectClose, hostTensor, randomNumbers, type HostTensor } from '@ii/tensor/testing';
import { UperNet, type UperNetConfig } from '../src/index.js';

const made = await devices([
  { title: 'webgpu', name: 'webgpu', options: {} },
  { title: 'webgpu, activations as halves', name: 'webgpu', options: { activationStorage: 'f16' } },
]);
afterAll(() => made.forEach(({ device }) => device?.dispose()));

/** Two stages are few shaders, which a GPU that is the CPU compiles slowly. */
const config: UperNetConfig = {
  backbone: { channels: 8, depths: [1, 1], groups: [1, 2], layerScale: 1 },
  decodeHead: { channels: 16, poolScales: [1, 3] },
  auxiliaryHead: null,
  numClasses: 12,
};
const [height, width] = [64, 96];

/** Weights that keep the size of what passes through them, and displace the sampling points by a few pixels. */
function weightsOf(network: UperNet): StateDict {
  return new Map(
    [...network.namedState()].map(([name, { shape, size, dtype }], seed) => {
      if (dtype === 'i64') return [name, storedTensor(new BigInt64Array(size), shape)];
      const reach = shape.length > 1 ? Math.sqrt(3 / (size / shape[0]!)) : 0.3;
      const scaled = randomNumbers(size, { seed, low: -reach, high: reach });
      const factor = shape.length === 1 && /weight|var|gamma/.test(name);
      return [name, storedTensor(factor ? scaled.map((value) => 1 + value) : scaled, shape)];
    }),
  );
}

interface Outcome {
  readonly logits: HostTensor;
  readonly labels: HostArray;
  readonly steps: readonly string[];
  /** Bytes of the backbone's maps. */
  readonly mapBytes: number;
}

/** The model on an image of noise. */
async function run(device: Device): Promise<Outcome> {
  const network = new UperNet(config);
  await network.load(device, weightsOf(network));
  const x = device.tensor(randomNumbers(height * width * 3, { low: -2, high: 2 }), [1, height, width, 3]);
  const results: Tensor[] = [];
  const entries = await device.trace(() => {
    const maps = scope(() => network.backbone.forward(x));
    const logits = scope(() => network.decodeHead.forward(maps));
    results.push(logits, resizeArgmax(logits, [height, width]), ...maps);
  });
  const steps = entries.flatMap(({ kernel, steps: own }) => own.map(({ step }) => `${kernel}: ${step}`));
  const [logits, labels, ...maps] = results as [Tensor, Tensor, ...Tensor[]];
  const outcome = { logits: await hostTensor(logits), labels: await labels.read(), steps };
  const before = device.memory().used;
  for (const map of maps) map.dispose();
  const mapBytes = before - device.memory().used;
  for (const tensor of [x, logits, labels]) tensor.dispose();
  network.dispose();
  return { ...outcome, mapBytes };
}

test('logits, labels, memory and dispatches', async (context) => {
  const [floats, halves] = made;
  if (!floats?.device || !halves?.device) return context.skip(floats?.reason);
  const plain = await run(floats.device);
  const halved = await run(halves.device);

  // Each of some 40 results in a row is rounded to 2^-11 of itself, and the errors add up like a random walk.
  expectClose(halved.logits, plain.logits, { relative: 2 ** -11 * Math.sqrt(40) }, 'logits');
  const other = plain.labels.filter((label, i) => halved.labels[i] !== label);
  expect(other.length).toBeLessThan(0.001 * plain.labels.length);
  expect(new Set(plain.labels).size).toBeGreaterThan(4);

  // Maps of 16 × 24 pixels and 8 channels, and of 8 × 12 pixels and 16 channels.
  const elements = 16 * 24 * 8 + 8 * 12 * 16;
  expect([plain.mapBytes, halved.mapBytes]).toEqual([4 * elements, 2 * elements]);
  expect(halved.steps).toEqual(plain.steps);
});
