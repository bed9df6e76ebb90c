/**
 * UPerNet with InternImage-T at 512×512 from the image tensor to the label map, as built: `npm run build && npm run
 * bench`. One line of JSON for each case: every run made anew (eager), and a recording replayed (captured), taken in
 * turns.
 */
import { availableParallelism } from 'node:os';
import { variants } from '@ii/backbone';
import { createDevice, Random, resizeArgmax, scope } from '@ii/tensor';
import { UperNet, upernetFlops } from '@ii/upernet';

/** @import { Tensor } from '@ii/tensor' */

const RUNS = 5;
const SIDE = 512;
const config = { backbone: variants.T };
const macs = upernetFlops(config, [SIDE, SIDE]);
const random = new Random(1);
const pixels = Float32Array.from({ length: SIDE * SIDE * 3 }, () => random.uniform(-2, 2));

for (const threads of new Set([1, Math.min(2, availableParallelism())])) {
  const device = await createDevice('wasm', { threads, experimentalSimd: true });
  const network = new UperNet(config);
  network.initialize(device, 0);
  const image = device.tensor(pixels, [1, SIDE, SIDE, 3]);
  const labels = (/** @type {Tensor | undefined} */ x) =>
    scope(() => resizeArgmax(network.forward(/** @type {Tensor} */ (x)), [SIDE, SIDE]));
  const eager = async () => {
    const map = labels(image);
    await map.read();
    map.dispose();
  };

  const warmupMs = await milliseconds(eager);
  const eagerPeak = device.memory().reserved;
  const capture = device.capture((x) => [labels(x)], image);
  const captured = async () => {
    await capture.run(image)[0]?.read();
  };
  const times = { eager: /** @type {number[]} */ ([]), captured: /** @type {number[]} */ ([]) };
  for (let run = 0; run < RUNS; run++) {
    times.eager.push(await milliseconds(eager));
    times.captured.push(await milliseconds(captured));
  }
  for (const [name, runsMs] of Object.entries(times)) {
    runsMs.sort((a, b) => a - b);
    const medianMs = runsMs[RUNS >> 1] ?? NaN;
    const line = {
      ...{ bench: 'upernet', name: `T at ${SIDE}×${SIDE}, ${name}`, threads, node: process.version },
      ...{ ms: rounded(runsMs[0] ?? NaN), medianMs: rounded(medianMs), warmupMs: rounded(warmupMs) },
      gmacsPerSecond: rounded(macs / medianMs / 1e6),
      reservedBytes: name === 'eager' ? eagerPeak : device.memory().reserved,
    };
    console.log(JSON.stringify(line));
  }
  device.dispose();
}

/** @param {() => Promise<unknown>} work */
async function milliseconds(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** @param {number} value */
function rounded(value) {
  return Number(value.toPrecision(4));
}
