/**
 * Runs the cases of a bench and prints one line of JSON for each. The machine may be shared, so each case gives its best
 * and its median time.
 */
import { availableParallelism } from 'node:os';
import { createDevice, measureWasmPeak, Random, scope } from '@ii/tensor';

/** @import { Device, Tensor } from '@ii/tensor' */

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {number} [flops] of one run
 * @property {number} [elements] of one run's result, for time per element
 * @property {number} [bytes] that one run reads and writes, each tensor once
 * @property {(device: Device, random: (...shape: number[]) => Tensor) => () => Tensor} setup makes the operands and gives
 *   what is timed
 */

/** @param {number} value */
const rounded = (value) => Number(value.toPrecision(4));

/**
 * @param {string} bench
 * @param {readonly Case[]} cases
 */
export async function measure(bench, cases) {
  const peak = measureWasmPeak();
  const print = (/** @type {object} */ line) => console.log(JSON.stringify({ bench, ...line }));
  print({ node: process.version, peakGflops: rounded(peak.gflops), fused: peak.fused });
  for (const threads of new Set([1, Math.min(4, availableParallelism())])) {
    const device = await createDevice('wasm', { threads, experimentalSimd: true });
    for (const { name, flops, elements, bytes, setup } of cases) {
      const { best, median } = await time(device, setup);
      print({
        name,
        threads,
        ms: rounded(best),
        medianMs: rounded(median),
        ...(flops && {
          gflops: rounded(flops / best / 1e6),
          ofPeak: rounded(flops / best / 1e6 / peak.gflops / threads),
        }),
        ...(elements && { nsPerElement: rounded((best * 1e6) / elements) }),
        ...(bytes && { gigabytesPerSecond: rounded(bytes / best / 1e6) }),
      });
    }
    device.dispose();
  }
}

/**
 * Best and median milliseconds of one run, after a warm-up in which the engine compiles its best code.
 *
 * @param {Device} device
 * @param {Case['setup']} setup
 */
async function time(device, setup) {
  const random = new Random(1);
  /** @type {Tensor[]} */
  const operands = [];
  const run = setup(device, (...shape) => {
    const data = Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => random.normal());
    const tensor = device.tensor(data, shape);
    operands.push(tensor);
    return tensor;
  });
  // One reading covers about 10 ms of work, so that the wait for its end does not count.
  const batch = async (/** @type {number} */ runs) => {
    const start = performance.now();
    for (let i = 0; i < runs; i++) scope(() => void run());
    await device.finish();
    return (performance.now() - start) / runs;
  };
  for (const end = performance.now() + 300; performance.now() < end;) await batch(1);
  const runs = Math.max(1, Math.round(10 / (await batch(1))));
  const times = [];
  for (const end = performance.now() + 700; performance.now() < end || times.length < 5;) times.push(await batch(runs));
  for (const tensor of operands) tensor.dispose();
  times.sort((a, b) => a - b);
  return { best: times[0] ?? NaN, median: times[times.length >> 1] ?? NaN };
}
