/**
 * UPerNet with the InternImages on the GPU, from the image tensor to the label map, as a recording is replayed: first with
 * estimated launch parameters, then with those that `device.tune` measured. One line of JSON for each case.
 *
 *     npm run build && node bench/webgpu.mjs [small | T,S,B,L,XL,H] [--tune] [--halves]
 *
 * `small` runs a tiny network, for adapters that compute on the CPU; `--halves` stores weights and activations as halves.
 */
import { variants } from '@ii/backbone';
import { createDevice, Random, resizeArgmax, scope } from '@ii/tensor';
import { UperNet, upernetFlops } from '@ii/upernet';

/** @import { Tensor } from '@ii/tensor' */
/** @import { UperNetConfig } from '@ii/upernet' */

const args = process.argv.slice(2);
const names = args.find((arg) => !arg.startsWith('--')) ?? 'T,S,B,L,XL,H';
const small = names === 'small';
const RUNS = small ? 2 : 20;
const storage = args.includes('--halves') ? 'f16' : 'f32';

/** Sides of the models' training crops. */
const sides = { T: 512, S: 512, B: 512, L: 640, XL: 640, H: 896 };
/** @type {readonly (readonly [string, UperNetConfig, number])[]} */
const cases = small
  ? [
      [
        'tiny',
        {
          backbone: { channels: 8, depths: [1, 1], groups: [1, 2] },
          decodeHead: { channels: 8, poolScales: [1, 2] },
          auxiliaryHead: null,
          numClasses: 6,
        },
        32,
      ],
    ]
  : names.split(',').map((name) => {
      const side = sides[/** @type {keyof typeof sides} */ (name)];
      if (side === undefined) throw new Error(`'${name}' is none of ${Object.keys(sides).join(', ')}`);
      return /** @type {const} */ ([name, { backbone: variants[/** @type {keyof typeof sides} */ (name)] }, side]);
    });

const print = (/** @type {object} */ line) => console.log(JSON.stringify({ bench: 'upernet webgpu', ...line }));
const tenths = (/** @type {number} */ ms) => Math.round(ms * 10) / 10;

for (const [model, config, side] of cases) {
  const device = await createDevice('webgpu', { weightStorage: storage, activationStorage: storage });
  print({ device: device.selection, model, storage, small });
  const network = new UperNet(config);
  network.initialize(device, 0);
  network.derive();
  const random = new Random(1);
  const pixels = Float32Array.from({ length: side * side * 3 }, () => random.uniform(-2, 2));
  const image = device.tensor(pixels, [1, side, side, 3]);
  const labels = (/** @type {Tensor | undefined} */ x) =>
    scope(() => resizeArgmax(network.forward(/** @type {Tensor} */ (x)), [side, side]));

  /** Milliseconds of the first run and the median of the later ones. */
  const measure = async () => {
    const warmupMs = await milliseconds(async () => {
      const map = labels(image);
      await map.read();
      map.dispose();
    });
    const capture = device.capture((x) => [labels(x)], image);
    const run = async () => void (await capture.run(image)[0]?.read());
    await run();
    const times = [];
    for (let i = 0; i < RUNS; i++) times.push(await milliseconds(run));
    times.sort((a, b) => a - b);
    capture.dispose();
    const { used } = device.memory();
    const medianMs = times[times.length >> 1] ?? NaN;
    return { warmupMs: tenths(warmupMs), medianMs: tenths(medianMs), minMs: tenths(times[0] ?? NaN), used };
  };

  const gmacs = Math.round(upernetFlops(config, [side, side]) / 1e9);
  const what = { model, size: [side, side], gmacs, storage };
  print({ ...what, launch: 'estimated', ...(await measure()) });
  if (args.includes('--tune')) {
    const tuneMs = tenths(await milliseconds(() => device.tune(() => labels(image).dispose())));
    print({ ...what, launch: 'tuned', tuneMs, ...(await measure()) });
  }
  network.dispose();
  device.dispose();
}

/** How long `work` takes. @param {() => Promise<unknown>} work */
async function milliseconds(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
