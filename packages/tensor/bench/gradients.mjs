/**
 * Gradient kernels at the shapes of UperNet + InternImage-T at 512×512, two images. Nearly all of them are bound by memory:
 * `copy` says what one pass over it takes.
 */
import { slice } from '@ii/tensor';
import { measure } from './measure.mjs';

/** @import { Device, Tensor } from '@ii/tensor' */

// The kernels are not exported: they come from the built package's own module, whose types are those of the source.
const module = new URL('../dist/ops/gradients/index.js', import.meta.url).href;
/** @type {typeof import('../src/ops/gradients/index.js')} */
const gradients = await import(module);

/** @param {readonly number[]} shape */
const bytesOf = (shape) => shape.reduce((n, d) => n * d, 4);

/**
 * @param {string} name
 * @param {readonly (readonly number[])[]} traffic shapes of the tensors that are read and written
 * @param {(random: (...shape: number[]) => Tensor, device: Device) => () => unknown} setup
 * @returns {import('./measure.mjs').Case}
 */
function streamed(name, traffic, setup) {
  return {
    name,
    bytes: traffic.reduce((sum, shape) => sum + bytesOf(shape), 0),
    setup: (device, random) => /** @type {() => Tensor} */ (setup(random, device)),
  };
}

const rows = [2, 128, 128, 64];
const wide = [2, 16, 16, 512];
const hidden = [2, 128, 128, 256];
const logits = [1, 128, 128, 150];

/** @param {readonly number[]} shape */
const layerNorms = (shape) => [
  streamed(`layerNormGradient ${shape}`, [shape, shape, shape], (random) => {
    const [x, gy, weight] = [random(...shape), random(...shape), random(shape[3] ?? 1)];
    return () => gradients.layerNormGradient(x, gy, { weight, eps: 1e-6 });
  }),
  streamed(`layerNormParameterGradient ${shape}`, [shape, shape], (random) => {
    const [x, gy] = [random(...shape), random(...shape)];
    return () => gradients.layerNormParameterGradient(x, gy, { eps: 1e-6 });
  }),
];

/** @param {readonly number[]} from @param {readonly number[]} to */
const resize = (from, to) =>
  streamed(`resizeBilinearGradient ${from} ← ${to}`, [from, to], (random) => {
    const gy = random(...to);
    return () => gradients.resizeBilinearGradient(gy, [from[1] ?? 1, from[2] ?? 1]);
  });

/** @param {readonly number[]} shape @param {number} kernel */
const depthwise = (shape, kernel) =>
  streamed(`depthwiseConv2dWeightGradient ${shape}, ${kernel}×${kernel}`, [shape, shape], (random) => {
    const [x, gy] = [random(...shape), random(...shape)];
    return () => gradients.depthwiseConv2dWeightGradient(x, gy, [kernel, kernel], { padding: kernel >> 1 });
  });

await measure('gradients', [
  streamed('copy', [hidden, hidden], (random) => {
    const x = random(...hidden);
    return () => slice(x, []);
  }),
  .../** @type {const} */ (['relu', 'gelu', 'silu', 'sigmoid']).map((fn) =>
    streamed(`unaryGradient ${fn}`, [hidden, hidden, hidden], (random) => {
      const [x, gy] = [random(...hidden), random(...hidden)];
      return () => gradients.unaryGradient(fn, x, gy);
    }),
  ),
  ...layerNorms(rows),
  ...layerNorms(wide),
  streamed('channelMoments', [hidden], (random) => {
    const x = random(...hidden);
    return () => gradients.channelMoments(x);
  }),
  streamed('batchNormReduce', [hidden, hidden], (random) => {
    const [x, gy, mean, variance] = [random(...hidden), random(...hidden), random(256), random(256)];
    return () => gradients.batchNormReduce(x, gy, mean, variance, 1);
  }),
  streamed('batchNormGradient', [hidden, hidden, hidden], (random) => {
    const [x, gy, mean, variance] = [random(...hidden), random(...hidden), random(256), random(256)];
    const sums = { gradWeight: random(256), gradBias: random(256) };
    return () => gradients.batchNormGradient(x, gy, { mean, variance, ...sums, eps: 1, count: 32768 });
  }),
  resize([2, 64, 64, 256], [2, 128, 128, 256]),
  resize([1, 128, 128, 150], [1, 512, 512, 150]),
  resize([2, 6, 6, 512], [2, 16, 16, 512]),
  streamed('adaptiveAvgPool2dGradient 6×6', [wide], (random) => {
    const gy = random(2, 6, 6, 512);
    return () => gradients.adaptiveAvgPool2dGradient(gy, [16, 16]);
  }),
  depthwise(rows, 3),
  depthwise(wide, 3),
  depthwise([1, 64, 64, 320], 5),
  streamed('crossEntropyForward', [logits], (random, device) => {
    const x = random(...logits);
    const labels = device.tensor(new Uint8Array(128 * 128), logits.slice(0, 3));
    return () => gradients.crossEntropyForward(x, labels, { ignoreIndex: 255 });
  }),
  streamed('crossEntropyGradient', [logits, logits], (random, device) => {
    const [x, scale] = [random(...logits), random()];
    const labels = device.tensor(new Uint8Array(128 * 128), logits.slice(0, 3));
    return () => gradients.crossEntropyGradient(x, labels, scale, { ignoreIndex: 255 });
  }),
  .../** @type {const} */ (['Forward', 'Gradient']).map((pass) =>
    streamed(`resizeCrossEntropy${pass} to 512×512`, [logits], (random, device) => {
      const [x, scale] = [random(...logits), random()];
      const labels = device.tensor(new Uint8Array(512 * 512), [1, 512, 512]);
      return () =>
        pass === 'Forward'
          ? gradients.resizeCrossEntropyForward(x, labels, { ignoreIndex: 255 })
          : gradients.resizeCrossEntropyGradient(x, labels, scale, { ignoreIndex: 255 });
    }),
  ),
  streamed(
    'adamWStep',
    Array.from({ length: 7 }, () => [1 << 22]),
    (random) => {
      const [parameter, gradient, mean] = [random(1 << 22), random(1 << 22), random(1 << 22)];
      const variance = gradients.unaryGradient('relu', mean, mean);
      const scale = random();
      const options = { lr: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.05, step: 10 };
      return () => gradients.adamWStep({ parameter, gradient, mean, variance, scale }, options);
    },
  ),
]);
