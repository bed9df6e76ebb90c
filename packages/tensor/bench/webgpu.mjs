/**
 * The GPU device: arithmetic and copying at their limits, then matrix products and convolutions of UperNet +
 * InternImage at 512×512 as a share of the measured arithmetic limit. One line of JSON for each case.
 *
 *     npm run build && node bench/webgpu.mjs [small]
 *
 * `small` divides every size, for adapters that compute on the CPU.
 */
import {
  conv2d,
  conv2dPyramid,
  createDevice,
  defineKernel,
  defineShader,
  linear,
  linearBuiltins,
  linearGrid,
  linearInvocation,
  matmul,
  read,
  scope,
  storage,
  uniformBlock,
  write,
} from '@ii/tensor';
import { randomNumbers } from '@ii/tensor/testing';

/** @import { Slot, Tensor } from '@ii/tensor' */

const small = process.argv[2] === 'small';
const device = await createDevice('webgpu');
const rounded = (/** @type {number} */ value) => Number(value.toPrecision(4));
const print = (/** @type {object} */ line) => console.log(JSON.stringify({ bench: 'webgpu', ...line }));
print({ device: device.selection, small });

const invocations = 256;
const countOnly = uniformBlock({ count: 'u32' });

/** Sums in registers that do not wait for one another, four lanes each, and how often each is updated. */
const [chains, updates] = [8, small ? 16 : 1024];
const names = Array.from({ length: chains }, (_, i) => `sum${i}`);
const arithmeticShader = defineShader(
  'arithmetic',
  () => `${storage(['read', 'x', 'array<vec4<f32>>'], ['read_write', 'y', 'array<vec4<f32>>'])}
${countOnly.wgsl}
@compute @workgroup_size(${invocations}) fn main(${linearBuiltins}) {
  let at = ${linearInvocation(invocations)};
  if (at >= params.count) { return; }
  let factor = x[0];
${names.map((name, i) => `  var ${name} = vec4<f32>(f32(local + ${i}u));`).join('\n')}
  for (var i = 0u; i < ${updates}u; i++) {
${names.map((name) => `    ${name} = fma(${name}, factor, factor);`).join('\n')}
  }
  y[at] = ${names.join(' + ')};
}
`,
);
const copyShader = defineShader(
  'copy',
  () => `${storage(['read', 'x', 'array<vec4<f32>>'], ['read_write', 'y', 'array<vec4<f32>>'])}
${countOnly.wgsl}
@compute @workgroup_size(${invocations}) fn main(${linearBuiltins}) {
  let at = ${linearInvocation(invocations)};
  if (at < params.count) { y[at] = x[at]; }
}
`,
);

/**
 * A kernel of one invocation per four elements of y.
 *
 * @param {string} name
 * @param {typeof copyShader} shader
 * @returns {import('@ii/tensor').Kernel<{ x: Slot }, { y: Slot }, object>}
 */
const perVector = (name, shader) =>
  defineKernel(name, {
    webgpu: ({ x }, { y }, _, machine) => {
      const count = y.shape.reduce((n, d) => n * d, 1) / 4;
      return [
        {
          shader: shader({}),
          bindings: [read(x), write(y)],
          uniforms: countOnly.words({ count }),
          workgroups: linearGrid(Math.ceil(count / invocations), machine),
        },
      ];
    },
  });
const [arithmetic, copy] = [perVector('arithmetic', arithmeticShader), perVector('copy', copyShader)];

/** @type {Tensor[]} */
let operands = [];
/** @param {readonly number[]} shape */
function random(...shape) {
  const tensor = device.tensor(randomNumbers(shape.reduce((n, d) => n * d, 1)), shape);
  operands.push(tensor);
  return tensor;
}

/**
 * Best and median milliseconds of one run; frees the operands. Shaders are compiled before the clock starts, and a
 * reading covers many runs, so that the wait for its end does not count.
 *
 * @param {() => Tensor} run
 */
async function time(run) {
  const batch = async (/** @type {number} */ runs) => {
    const start = performance.now();
    for (let i = 0; i < runs; i++) scope(() => void run());
    await device.finish();
    return (performance.now() - start) / runs;
  };
  await batch(1);
  await batch(1);
  const runs = Math.min(1000, Math.max(1, Math.round(50 / (await batch(3)))));
  const times = [];
  for (const end = performance.now() + 700; performance.now() < end || times.length < 3;) times.push(await batch(runs));
  for (const tensor of operands) tensor.dispose();
  operands = [];
  times.sort((a, b) => a - b);
  return { best: times[0] ?? NaN, median: times[times.length >> 1] ?? NaN };
}

/** @param {import('@ii/tensor').Kernel<{ x: Slot }, { y: Slot }, object>} kernel @param {number} length */
function enqueued(kernel, length) {
  const x = random(length);
  return () => {
    const y = device.empty([length]);
    device.enqueue(kernel, { inputs: { x }, outputs: { y }, params: {} });
    return y;
  };
}

const work = small ? 2 ** 14 : 2 ** 22;
const arithmeticMs = (await time(enqueued(arithmetic, work))).best;
const peak = (work * chains * updates * 2) / arithmeticMs / 1e6;
print({ name: 'multiply-add in registers', ms: rounded(arithmeticMs), gflops: rounded(peak) });
const bytes = small ? 2 ** 20 : 2 ** 26;
const copyMs = (await time(enqueued(copy, bytes / 4))).best;
print({
  name: `copy of ${bytes / 2 ** 20} MiB`,
  ms: rounded(copyMs),
  gigabytesPerSecond: rounded((2 * bytes) / copyMs / 1e6),
});

/** @param {string} name @param {number} flops @param {number} elements read and written at least @param {() => Tensor} run */
async function measure(name, flops, elements, run) {
  const { best, median } = await time(run);
  const gflops = flops / best / 1e6;
  print({
    ...{ name, ms: rounded(best), medianMs: rounded(median) },
    ...{ gflops: rounded(gflops), ofPeak: rounded(gflops / peak) },
    gigabytesPerSecond: rounded((elements * 4) / best / 1e6),
  });
}

const scaled = (/** @type {number} */ size) => (small ? Math.max(4, size >> 4) : size);

for (const size of [512, 1024, 2048, 4096]) {
  const n = scaled(size);
  const [a, b] = [random(n, n), random(n, n)];
  await measure(`matmul ${n}³`, 2 * n ** 3, 3 * n * n, () => matmul(a, b));
}

// Rows are pixels of a level of InternImage-T, or of the head.
for (const [rows, channels, outputs] of /** @type {const} */ ([
  [16384, 64, 64],
  [16384, 64, 72],
  [16384, 64, 256],
  [16384, 256, 64],
  [4096, 128, 512],
  [1024, 256, 1024],
  [1024, 1024, 256],
  [256, 512, 2048],
  [256, 2048, 512],
  [16384, 512, 150],
  [1, 512, 512],
  [36, 512, 512],
])) {
  const [m, k, o] = [Math.max(1, scaled(rows)), scaled(channels), scaled(outputs)];
  const [x, weight, bias] = [random(m, k), random(o, k), random(o)];
  await measure(`linear + gelu ${m}×${k}→${o}`, 2 * m * k * o, m * k + k * o + m * o, () =>
    linear(x, weight, { bias, activation: 'gelu' }),
  );
}

// A dilated convolution is as many multiplications as any, and always a direct sum: it tells the share of the peak, where
// those by Winograd's algorithm exceed it.
for (const [level, channels, outputs, kernel, stride, groups, dilation = 1] of /** @type {const} */ ([
  [128, 2048, 512, 3, 1, 1, 2],
  [128, 512, 512, 3, 1, 1, 2],
  [128, 512, 512, 3, 1, 1],
  [64, 512, 512, 3, 1, 1],
  [16, 2560, 512, 3, 1, 1],
  [512, 3, 32, 3, 2, 1],
  [256, 32, 64, 3, 2, 1],
  [128, 64, 128, 3, 2, 1],
  [128, 64, 64, 3, 1, 64],
  [32, 256, 256, 3, 1, 256],
  [16, 1280, 1280, 5, 1, 1280],
])) {
  const [size, c, o] = [scaled(level), channels === 3 ? 3 : scaled(channels), scaled(outputs)];
  const g = groups === 1 ? 1 : c;
  const padding = dilation * (kernel >> 1);
  const out = Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
  const [x, weight] = [random(1, size, size, c), random(o, c / g, kernel, kernel)];
  const [scale, bias] = [random(o), random(o)];
  const dilated = dilation > 1 ? `, dilation ${dilation}` : '';
  await measure(
    `${g > 1 ? 'depthwise' : 'conv'} ${kernel}×${kernel}/${stride} ${c}→${o} at ${size}×${size}${dilated} + scale + bias + relu`,
    (2 * out * out * o * kernel * kernel * c) / g,
    size * size * c + out * out * o + (o * kernel * kernel * c) / g,
    () => conv2d(x, weight, { stride, padding, dilation, groups: g, scale, bias, activation: 'relu' }),
  );
}

{
  const [size, c] = [scaled(128), scaled(512)];
  const maps = [1, 2, 4, 8].map((share) => random(1, Math.ceil(size / share), Math.ceil(size / share), c));
  const weight = random(c, 4 * c, 3, 3);
  const elements = maps.reduce((sum, map) => sum + map.size, 0) + weight.size + size * size * c;
  await measure(`conv 3×3 over a pyramid, 4·${c}→${c} at ${size}×${size}`, 2 * size * size * c * 36 * c, elements, () =>
    conv2dPyramid(maps, weight, { activation: 'relu' }),
  );
}

device.dispose();
