/**
 * DCNv3 on the GPU, at the sizes of InternImage's levels, in bytes that it must move at least (the input once, offsets,
 * mask and result) per second, beside those of relu, which reads and writes the map once; and its gradient, in any order
 * and with equal bits in every run. One line of JSON for each case.
 *
 *     npm run build && node bench/webgpu.mjs [small]
 *
 * `small` divides every size, for adapters that compute on the CPU.
 */
import { createDevice, relu, scope } from '@ii/tensor';
import { randomNumbers } from '@ii/tensor/testing';
import { dcnv3, dcnv3Gradients } from '@ii/dcnv3';

const small = process.argv[2] === 'small';
const device = await createDevice('webgpu');
const rounded = (/** @type {number} */ value) => Number(value.toPrecision(4));
const print = (/** @type {object} */ line) => console.log(JSON.stringify({ bench: 'dcnv3 webgpu', ...line }));
print({ device: device.selection, small });

/** @param {readonly number[]} shape @param {number} reach */
function random(shape, reach) {
  const length = shape.reduce((n, d) => n * d, 1);
  return device.tensor(randomNumbers(length, { low: -reach, high: reach }), shape);
}

/**
 * Best milliseconds of one call; the shaders are compiled before the clock starts.
 * @param {() => unknown} call
 */
async function measure(call) {
  const batch = async (/** @type {number} */ runs) => {
    const start = performance.now();
    for (let i = 0; i < runs; i++) scope(() => void call());
    await device.finish();
    return (performance.now() - start) / runs;
  };
  await batch(1);
  await batch(1);
  const runs = Math.min(1000, Math.max(1, Math.round(50 / (await batch(3)))));
  let best = Infinity;
  for (let i = 0; i < 10; i++) best = Math.min(best, await batch(runs));
  return best;
}

for (const [model, size, groups, groupChannels] of /** @type {const} */ ([
  ['T', 128, 4, 16],
  ['T', 64, 8, 16],
  ['T', 32, 16, 16],
  ['T', 16, 32, 16],
  ['B', 128, 7, 16],
  ['H', 224, 10, 32],
  ['H', 56, 40, 32],
])) {
  const side = small ? size >> 3 : size;
  const shape = [1, side, side, groups * groupChannels];
  const x = random(shape, 1);
  const mask = random([1, side, side, groups * 9], 4);
  const gy = random(shape, 1);
  const passed = await measure(() => relu(x));
  // Points near their places on the grid, as a trained model predicts them, and points all over a 9×9 window.
  for (const reach of [0.5, 3]) {
    const offset = random([1, side, side, groups * 18], reach);
    const bytes = (2 * x.size + offset.size + mask.size) * 4;
    const ms = await measure(() => dcnv3(x, offset, mask, { groups, softmax: true }));
    const gradient = (/** @type {boolean} */ deterministic) =>
      measure(() => dcnv3Gradients(x, offset, mask, gy, { groups, softmax: true, deterministic }));
    const [gradientMs, deterministicMs] = [await gradient(false), await gradient(true)];
    print({
      ...{ name: `${model} ${shape.slice(1).join('×')}, ${groups} groups`, reach, ms: rounded(ms) },
      ...{ gradientMs: rounded(gradientMs), deterministicMs: rounded(deterministicMs) },
      gigabytesPerSecond: rounded(bytes / ms / 1e6),
      ofCopy: rounded(bytes / ms / ((2 * x.size * 4) / passed)),
    });
    offset.dispose();
  }
  for (const tensor of [x, mask, gy]) tensor.dispose();
}

device.dispose();
