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
import { defineShader, read, write } from '../src/backends/webgpu/program.js';
import { storage } from '../src/backends/webgpu/wgsl.js';
import type { DType } from '../src/dtype.js';
import { defineKernel, type Slot } from '../src/kernel.js';
import { showShape, type Shape } from '../src/shape.js';
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

const doubleShader = defineShader(
  'test double',
  () => `${storage(['read', 'x', 'array<f32>'], ['read_write', 'y', 'array<f32>'])}
@compute @workgroup_size(1) fn main() { y[0] = 2 * x[0]; }`,
);

test('bind groups outlive the destruction of buffers that they do not hold', async () => {
  const { device: gpuDevice, counts } = await countingDevice();
  using device = await createDevice('webgpu', { gpuDevice });
  let destroyed = 0;
  const make = gpuDevice.createBuffer.bind(gpuDevice);
  gpuDevice.createBuffer = (descriptor) => {
    const buffer = make(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    return Object.assign(buffer, { destroy: () => void (destroyed++, destroy()) });
  };
  const kernel = defineKernel<{ x: Slot }, { y: Slot }, object>('test double', {
    webgpu: ({ x }, { y }) => [{ shader: doubleShader({}), bindings: [read(x), write(y)], workgroups: [1, 1, 1] }],
  });
  using x = device.tensor([1, 2, 3]);
  using y = device.empty([3]);
  const small = (): void => device.enqueue(kernel, { inputs: { x }, outputs: { y }, params: {} });
  const large = async (elements: number): Promise<void> => {
    using given = device.empty([elements]);
    relu(given).dispose();
    await device.finish();
  };
  small();
  for (let i = 0; i < 12; i++) await large(4e6 + i * 1e6);
  expect(destroyed).toBeGreaterThan(4);
  const before = { ...counts };
  small();
  await device.finish();
  expect(counts).toEqual(before);
});

test('a kernel describes its program once for each kind of call, and anew when launch parameters change', async () => {
  using device = await createDevice('webgpu', { gpu: await nullGpu() });
  const described: string[] = [];
  const kernel = defineKernel<{ x: Slot }, { y: Slot }, { readonly factor: number }>('test double', {
    webgpu: ({ x }, { y }, { factor }, machine) => {
      const { width } = machine.launches!.choose('test double', [{ width: 1 }, { width: 2 }], { width: 1 });
      described.push(`${showShape(x.shape)} ${x.dtype} ${factor} ${width}`);
      return [{ shader: doubleShader({}), bindings: [read(x), write(y)], workgroups: [width, 1, 1] }];
    },
  });
  const call = (shape: Shape, dtype: DType, factor: number): void => {
    using x = device.empty(shape, dtype);
    using y = device.empty(shape, dtype);
    device.enqueue(kernel, { inputs: { x }, outputs: { y }, params: { factor } });
  };
  for (let i = 0; i < 2; i++) {
    call([4, 2], 'f32', 1);
    call([42], 'f32', 1);
    call([42], 'i32', 1);
    call([42], 'i32', -0);
    call([42], 'i32', 0);
  }
  expect(described).toEqual(['[4, 2] f32 1 1', '[42] f32 1 1', '[42] i32 1 1', '[42] i32 0 1', '[42] i32 0 1']);
  described.length = 0;
  await device.tune(() => call([42], 'f32', 1), { repeats: 1 });
  expect(new Set(described)).toEqual(new Set(['[42] f32 1 1', '[42] f32 1 2']));
  await device.finish();
});
