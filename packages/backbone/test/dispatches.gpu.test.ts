/** What a block of InternImage costs the GPU in dispatches: each stands for what is fused into it. */
import { afterAll, expect, test as everyTest } from 'vitest';
import { scope, type Device } from '@ii/tensor';
import { devices } from '@ii/tensor/testing';
import { InternImage, type InternImageConfig } from '../src/index.js';

const [made, halves] = await devices([
  { title: 'webgpu', name: 'webgpu', options: {} },
  { title: 'webgpu, activations as halves', name: 'webgpu', options: { activationStorage: 'f16' } },
]);
afterAll(() => {
  made?.device?.dispose();
  halves?.device?.dispose();
});

const test = (title: string, body: (device: Device) => Promise<void>): void =>
  everyTest(title, async (context) => {
    if (made?.device) await body(made.device);
    else context.skip(made?.reason);
  });

/** The steps of a backbone of one stage, each with the kernel that it belongs to, once its weights are prepared. */
async function steps(device: Device, depth: number, options: Partial<InternImageConfig>): Promise<string[]> {
  const model = new InternImage({ channels: 8, depths: [depth], groups: [2], ...options });
  model.initialize(device, 1);
  const image = device.tensor(new Float32Array(16 * 16 * 3), [1, 16, 16, 3]);
  const run = (): void => scope(() => void model.forward(image));
  run();
  const entries = await device.trace(run);
  image.dispose();
  model.dispose();
  return entries.flatMap(({ kernel, steps: own }) => own.map(({ step }) => `${kernel}: ${step}`));
}

/** Of the stem, before the first block, and of the norm behind the last one. */
const [before, behind] = [5, 1];

/** What the second of two blocks runs. */
async function block(device: Device, options: Partial<InternImageConfig> = {}): Promise<string[]> {
  const all = await steps(device, 2, options);
  const each = (all.length - before - behind) / 2;
  const second = all.slice(before + each, before + 2 * each);
  expect(all.slice(before, before + each)).toEqual(second);
  return second;
}

/** Softmax of the mask, residual, layer scale and the MLP's GELU have no dispatch of their own. */
const dcn = [
  ...['linear: gemm', 'depthwiseConv2d: depthwiseConv2d', 'layerNorm: layerNorm', 'unary: unary'],
  ...['linear: gemm', 'linear: gemm', 'dcnv3: dcnv3', 'linear: gemm'],
];
const mlp = ['linear: gemm', 'linear: gemm'];
const norm = 'layerNorm: layerNorm';

test('a block of InternImage-T to -XL takes 12 dispatches', async (device) => {
  const expected = [norm, ...dcn, norm, ...mlp];
  expect(expected).toHaveLength(12);
  expect(await block(device)).toEqual(expected);
  expect(await block(device, { layerScale: 1 })).toEqual(expected);
});

test('a block of InternImage-H takes 17: the share of the centre, two norms and two additions more', async (device) => {
  const add = 'binary: binary';
  const centred = [...dcn.slice(0, 4), 'linear: gemm', ...dcn.slice(4)];
  const options = { resPostNorm: true, centerFeatureScale: true, dwKernelSize: 5 };
  expect(await block(device, options)).toEqual([norm, ...centred, norm, add, norm, ...mlp, norm, add]);
});

test('the stem takes five, and its first GELU is the only one with a dispatch', async (device) => {
  const stem = ['conv2d: gemm', norm, 'unary: unary', 'conv2d: gemm', norm];
  expect((await steps(device, 1, {})).slice(0, before)).toEqual(stem);
});

test('activations stored as halves take the same dispatches', async (device) => {
  for (const options of [{}, { layerScale: 1 }])
    expect(await block(halves!.device!, options)).toEqual(await block(device, options));
  // From the image to the maps of two stages, with a share of the centre.
  const options = { depths: [1, 1], groups: [2, 4], centerFeatureScale: true };
  expect(await steps(halves!.device!, 1, options)).toEqual(await steps(device, 1, options));
});
