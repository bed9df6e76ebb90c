/** Gradients on the CPU device are the same to the bit for any number of threads. */
import { expect, test } from 'vitest';
import { createDevice } from '../src/create-device.js';
import type { Device } from '../src/device.js';
import {
  adaptiveAvgPool2dGradient,
  batchNormReduce,
  channelMoments,
  crossEntropyForward,
  depthwiseConv2dWeightGradient,
  layerNormGradient,
  layerNormParameterGradient,
  pyramidTapGradient,
  resizeBilinearGradient,
  resizeCrossEntropyGradient,
} from '../src/ops/gradients/index.js';
import { scope } from '../src/scope.js';
import { random, upload } from './support.js';

async function gradients(device: Device): Promise<Map<string, Float32Array>> {
  const tensors = scope(() => {
    const [x, gy] = [upload(device, random([2, 61, 53, 37])), upload(device, random([2, 61, 53, 37], { seed: 2 }))];
    const labels = device.tensor(
      random([2, 122, 106], { seed: 3, low: 0, high: 38 }).data.map(Math.floor),
      [2, 122, 106],
      { dtype: 'u8' },
    );
    const { mean, variance } = channelMoments(x);
    const parameters = layerNormParameterGradient(x, gy, { eps: 1e-6 });
    const sums = batchNormReduce(x, gy, mean, variance, 1e-5);
    const ignored = { ignoreIndex: 37 };
    return Object.entries({
      mean,
      variance,
      layerNorm: layerNormGradient(x, gy, { eps: 1e-6 }),
      layerNormWeight: parameters.weight,
      layerNormBias: parameters.bias,
      batchNormWeight: sums.weight,
      batchNormBias: sums.bias,
      resize: resizeBilinearGradient(gy, [17, 90]),
      taps: pyramidTapGradient(gy, [17, 90]),
      pool: adaptiveAvgPool2dGradient(gy, [100, 100]),
      depthwise: depthwiseConv2dWeightGradient(x, gy, [3, 3], { padding: 1 }),
      loss: crossEntropyForward(x, device.tensor(new Uint8Array(2 * 61 * 53), [2, 61, 53]), ignored).loss,
      crossEntropy: resizeCrossEntropyGradient(x, labels, device.tensor([0.01], []), ignored),
    });
  });
  const results = new Map<string, Float32Array>();
  for (const [name, tensor] of tensors) results.set(name, await tensor.readFloat32());
  return results;
}

test('for 0, 1, 2 and 3 threads', async () => {
  const inline = await createDevice('wasm', { threads: 0 });
  const expected = await gradients(inline);
  inline.dispose();
  for (const threads of [1, 2, 3]) {
    const device = await createDevice('wasm', { threads });
    for (const [name, data] of await gradients(device)) {
      const own = expected.get(name)!;
      const first = data.findIndex((value, i) => value !== own[i]);
      expect(first, `first element of ${name} that differs with ${threads} threads`).toBe(-1);
    }
    device.dispose();
  }
});
