/**
 * Forward passes of InternImage from the image tensor to the four maps, as built: `npm run build && npm run bench`. One
 * line of JSON for each case; the times are those of a recording that is replayed.
 */
import { availableParallelism } from 'node:os';
import { InternImage, internImageFlops, variants } from '@ii/backbone';
import { createDevice, Random, scope } from '@ii/tensor';

/** @import { Device } from '@ii/tensor' */

const RUNS = 5;

for (const threads of new Set([1, Math.min(2, availableParallelism())])) {
  for (const variant of /** @type {const} */ (['T', 'B'])) {
    const device = await createDevice('wasm', { threads, experimentalSimd: true });
    const backbone = new InternImage(variants[variant]);
    backbone.initialize(device, 0);
    for (const side of [224, 512]) {
      const { warmupMs, runsMs } = await measure(device, backbone, side);
      const medianMs = runsMs[RUNS >> 1] ?? NaN;
      const macs = internImageFlops(variants[variant], [side, side]);
      const line = {
        ...{ bench: 'backbone', name: `${variant} at ${side}×${side}`, threads, node: process.version },
        ...{ ms: rounded(runsMs[0] ?? NaN), medianMs: rounded(medianMs), warmupMs: rounded(warmupMs) },
        gmacsPerSecond: rounded(macs / medianMs / 1e6),
      };
      console.log(JSON.stringify(line));
    }
    device.dispose();
  }
}

/**
 * Milliseconds of the first pass, which prepares the weights, and of the others in ascending order.
 *
 * @param {Device} device @param {InternImage} backbone @param {number} side
 */
async function measure(device, backbone, side) {
  const random = new Random(1);
  const pixels = Float32Array.from({ length: side * side * 3 }, () => random.uniform(-2, 2));
  const image = device.tensor(pixels, [1, side, side, 3]);
  const start = performance.now();
  for (const map of scope(() => backbone.forward(image))) map.dispose();
  await device.finish();
  const warmupMs = performance.now() - start;
  const capture = device.capture((x) => backbone.forward(/** @type {typeof image} */ (x)), image);
  const runsMs = [];
  for (let run = 0; run < RUNS; run++) {
    const begin = performance.now();
    capture.run(image);
    await device.finish();
    runsMs.push(performance.now() - begin);
  }
  capture.dispose();
  image.dispose();
  return { warmupMs, runsMs: runsMs.sort((a, b) => a - b) };
}

/** @param {number} value */
function rounded(value) {
  return Number(value.toPrecision(4));
}
