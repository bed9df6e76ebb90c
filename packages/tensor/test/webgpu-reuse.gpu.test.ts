/** What the host makes anew for work that is repeated, on Dawn's null backend: nothing. */
import { expect, test } from 'vitest';
import {
  AdamW,
  backward,
  createDevice,
  Linear,
  mean,
  Module,
  mul,
  Random,
  relu,
  scope,
  type Tensor,
} from '../src/index.js';
import { nullGpu, randomNumbers } from '../src/testing/index.js';

const made = ['createBuffer', 'createBindGroup'] as const;

/** A device that counts what is made on it. */
async function countingDevice(): Promise<{ device: GPUDevice; counts: Record<string, number> }> {
  const adapter = await (await nullGpu()).requestAdapter();
  const device = await adapter!.requestDevice();
  const counts: Record<string, number> = {};
  for (const name of made) {
    const make = device[name].bind(device) as (descriptor: never) => never;
    counts[name] = 0;
    device[name] = (descriptor: never) => {
      counts[name]!++;
      return make(descriptor);
    };
  }
  return { device, counts };
}

class Network extends Module {
  readonly layers = this.list(
    'layers',
    [24, 40, 40, 16].map((inputs, i, all) => new Linear(inputs, all[i + 1] ?? 8)),
  );

  loss(x: Tensor): Tensor {
    const y = this.layers.reduce((inner, layer) => relu(layer.forward(inner)), x);
    return mean(mul(y, y));
  }
}

test('training steps after the first few make no buffer and no bind group', async () => {
  const { device: gpuDevice, counts } = await countingDevice();
  using device = await createDevice('webgpu', { gpuDevice });
  const network = new Network();
  network.initialize(device, 1);
  network.train({ random: new Random(1) });
  const parameters = new Map(network.namedParameters());
  const optimizer = new AdamW([{ name: 'all', parameters, lrScale: 1, weightDecay: 0.05 }]);
  const step = async (seed: number): Promise<void> => {
    using x = device.tensor(randomNumbers(64 * 24, { seed }), [64, 24]);
    using loss = scope(() => backward(network, () => network.loss(x)));
    optimizer.step([1e-3]);
    optimizer.zeroGradients();
    await loss.read();
  };
  for (let i = 0; i < 3; i++) await step(i);
  const before = { ...counts };
  for (let i = 3; i < 8; i++) await step(i);
  expect(counts).toEqual(before);
});
