/** AdamW steps against the same in plain f64, on every device. */
import { expect, test } from 'vitest';
import { adamWStep } from '../src/ops/gradients/index.js';
import { conv2d, linear } from '../src/ops/index.js';
import { expectClose, hostTensor, precisionOf, tolerance } from '../src/testing/index.js';
import { forEveryDevice, random, upload } from './support.js';

const options = { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.05 } as const;

/** PyTorch's single-tensor AdamW, line by line. */
function plainStep(p: Float64Array, g: Float64Array, m: Float64Array, v: Float64Array, step: number): void {
  const { lr, beta1, beta2, eps, weightDecay } = options;
  for (let i = 0; i < p.length; i++) {
    p[i]! *= 1 - lr * weightDecay;
    m[i] = m[i]! * beta1 + g[i]! * (1 - beta1);
    v[i] = v[i]! * beta2 + g[i]! * g[i]! * (1 - beta2);
    const denominator = Math.sqrt(v[i]!) / Math.sqrt(1 - beta2 ** step) + eps;
    p[i]! -= ((lr / (1 - beta1 ** step)) * m[i]!) / denominator;
  }
}

await forEveryDevice((device) => {
  test.for([1, 7, 64, 100_003])('ten steps on %i parameters', async (length) => {
    const before = device.memory().tensors;
    const start = random([length], { seed: 1 });
    const state = [Float64Array.from(start.data), new Float64Array(length), new Float64Array(length)] as const;
    const parameter = upload(device, start);
    const mean = device.tensor(new Float32Array(length));
    const variance = device.tensor(new Float32Array(length));
    const scale = device.tensor([0.25], []);
    for (let step = 1; step <= 10; step++) {
      const gradient = random([length], { seed: 100 + step });
      const given = upload(device, gradient);
      const clipped = step % 2 === 0;
      const tensors = { parameter, gradient: given, mean, variance, ...(clipped && { scale }) };
      adamWStep(tensors, { ...options, step });
      given.dispose();
      plainStep(
        state[0],
        Float64Array.from(gradient.data, (g) => (clipped ? g / 4 : g)),
        state[1],
        state[2],
        step,
      );
    }
    // Ten steps of up to four roundings each: they have mixed signs and add up like a random walk.
    const bound = { relative: 4 * tolerance('arithmetic', precisionOf(device)).relative };
    for (const [i, tensor] of [parameter, mean, variance].entries()) {
      expectClose(await hostTensor(tensor), { shape: [length], data: state[i]! }, bound, `tensor ${i}`);
    }
    for (const tensor of [parameter, mean, variance, scale]) tensor.dispose();
    expect(device.memory().tensors).toBe(before);
  });

  test.for(['device', 'host'] as const)(
    'a step is seen by products that had the weight packed: %s',
    async (residence) => {
      const weight = device.tensor(random([24, 16], { seed: 2 }).data, [24, 16], { residence });
      const filters = device.tensor(random([8, 1, 3, 3], { seed: 3 }).data, [8, 1, 3, 3], { residence });
      const x = upload(device, random([5, 16], { seed: 4 }));
      const pixels = upload(device, random([1, 4, 5, 8], { seed: 5 }));
      const run = async () => [
        await hostTensor(linear(x, weight)),
        await hostTensor(conv2d(pixels, filters, { padding: 1, groups: 8 })),
      ];
      await run();
      for (const parameter of [weight, filters]) {
        const gradient = device.tensor(random(parameter.shape, { seed: 6 }).data, parameter.shape);
        const zeros = () => device.tensor(new Float32Array(parameter.size), parameter.shape);
        adamWStep({ parameter, gradient, mean: zeros(), variance: zeros() }, { ...options, lr: 0.5, step: 1 });
      }
      const after = await run();
      const copies = [weight, filters];
      const fresh = await Promise.all(copies.map(async (t) => device.tensor(await t.readFloat64(), t.shape)));
      expectClose(after[0]!, await hostTensor(linear(x, fresh[0]!)), tolerance('exact', 'f32'));
      const direct = conv2d(pixels, fresh[1]!, { padding: 1, groups: 8 });
      expectClose(after[1]!, await hostTensor(direct), tolerance('exact', 'f32'));
      expect(await weight.readFloat64()).not.toEqual(Float64Array.from(random([24, 16], { seed: 2 }).data));
    },
  );

  test('a step that cannot run leaves the parameter alone', async () => {
    const parameter = device.tensor([1, 2, 3]);
    const gone = device.tensor([1, 1, 1]);
    gone.dispose();
    const [mean, variance] = [device.tensor([0, 0, 0]), device.tensor([0, 0, 0])];
    expect(() => adamWStep({ parameter, gradient: gone, mean, variance }, { ...options, step: 1 })).toThrow('disposed');
    expect([...(await parameter.readFloat32())]).toEqual([1, 2, 3]);
    const wrong = device.tensor([1, 1]);
    expect(() => adamWStep({ parameter, gradient: wrong, mean, variance }, { ...options, step: 1 })).toThrow(
      'adamWStep gradient: expected shape [3], got [2]',
    );
  });
});
