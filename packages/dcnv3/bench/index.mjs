/**
 * How long DCNv3, its gradient and the elementwise kernels around it take on the CPU, at the sizes of InternImage-T's four levels for
 * a 512×512 image, and for groups of 32 channels as in InternImage-H.
 *
 *     npm run build && npm run bench [-- THREADS]
 */
import { createDevice, gelu, layerNorm, scope } from '@ii/tensor';
import { randomNumbers } from '@ii/tensor/testing';
import { dcnv3, dcnv3Gradients } from '@ii/dcnv3';

const threads = Number(process.argv[2] ?? 1);
const device = await createDevice('wasm', { threads, experimentalSimd: true });
console.log(`Node ${process.versions.node}: ${device.selection}`);

/** @param {readonly number[]} shape @param {number} reach */
function random(shape, reach) {
  const length = shape.reduce((n, d) => n * d, 1);
  return device.tensor(randomNumbers(length, { low: -reach, high: reach }), shape);
}

/**
 * Milliseconds of one call: the best of several batches, after a warm-up in which the engine compiles the kernels.
 * @param {() => unknown} call
 */
async function measure(call) {
  const batch = async (/** @type {number} */ count) => {
    const start = performance.now();
    for (let i = 0; i < count; i++) scope(() => void call());
    await device.finish();
    return (performance.now() - start) / count;
  };
  const deadline = performance.now() + 500;
  let once = await batch(1);
  while (performance.now() < deadline) once = await batch(3);
  const count = Math.max(1, Math.ceil(50 / once));
  let best = Infinity;
  for (let i = 0; i < 10; i++) best = Math.min(best, await batch(count));
  return best;
}

/** @param {string} name @param {number} ms @param {Record<string, number>} per counts of what the time is shared by */
function report(name, ms, per) {
  const shares = Object.entries(per).map(
    ([what, count]) => `${((ms * 1e6) / count).toFixed(2).padStart(7)} ns per ${what}`,
  );
  console.log(`${name.padEnd(54)} ${ms.toFixed(3).padStart(8)} ms ${shares.join(' ')}`);
}

for (const { size, groups, groupChannels } of [
  { size: 128, groups: 4, groupChannels: 16 },
  { size: 64, groups: 8, groupChannels: 16 },
  { size: 32, groups: 16, groupChannels: 16 },
  { size: 16, groups: 32, groupChannels: 16 },
  { size: 64, groups: 10, groupChannels: 32 },
]) {
  const shape = [1, size, size, groups * groupChannels];
  const pixels = size * size;
  const x = random(shape, 1);
  const offset = random([1, size, size, groups * 18], 2);
  const mask = random([1, size, size, groups * 9], 4);
  for (const softmax of [false, true]) {
    const ms = await measure(() => dcnv3(x, offset, mask, { groups, softmax }));
    const name = `dcnv3${softmax ? ' + softmax' : ''} ${shape.slice(1).join('×')}, ${groups} groups`;
    report(name, ms, { point: pixels * groups * 9, element: pixels * groups * groupChannels });
  }
  const gy = random(shape, 1);
  const ms = await measure(() => {
    const { x: gx, offset: goffset, mask: gmask } = dcnv3Gradients(x, offset, mask, gy, { groups, softmax: true });
    for (const tensor of [gx, goffset, gmask]) tensor.dispose();
  });
  const name = `dcnv3 + softmax ${shape.slice(1).join('×')}, ${groups} groups, gradient`;
  report(name, ms, { point: pixels * groups * 9, element: pixels * groups * groupChannels });
  for (const tensor of [x, offset, mask, gy]) tensor.dispose();
}

for (const shape of [
  [16384, 64],
  [1024, 256],
  [256, 512],
]) {
  const x = random(shape, 3);
  const weight = random(shape.slice(1), 1);
  const bias = random(shape.slice(1), 1);
  const ms = await measure(() => layerNorm(x, { weight, bias, eps: 1e-6 }));
  report(`layerNorm ${shape.join('×')}`, ms, { element: x.size });
  report(`gelu ${shape.join('×')}`, await measure(() => gelu(x)), { element: x.size });
  for (const tensor of [x, weight, bias]) tensor.dispose();
}

device.dispose();
