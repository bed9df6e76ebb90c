/** Every tile of the GPU's matrix product, also those that no shape of the other tests is large enough for. */
import { expect, test as everyTest } from 'vitest';
import { convolutionOf, convolutionProduct } from '../src/backends/webgpu/kernels/conv2d.js';
import { launchProduct } from '../src/backends/webgpu/kernels/gemm.js';
import { linearProduct, matmulProduct } from '../src/backends/webgpu/kernels/linear.js';
import type { WebGpuMachine } from '../src/backends/webgpu/program.js';
import { tiles, type Launch, type Tile } from '../src/backends/webgpu/kernels/tiles.js';
import type { Device } from '../src/device.js';
import { defineKernel, type Slot } from '../src/kernel.js';
import {
  conv2d,
  linear,
  matmul,
  type Conv2dInputs,
  type Conv2dParams,
  type LinearInputs,
  type MatmulInputs,
} from '../src/ops/index.js';
import { devices, expectClose, tolerance } from '../src/testing/index.js';
import { createDevice } from '../src/create-device.js';
import { compute, random } from './support.js';

const [made] = await devices([{ title: 'webgpu', name: 'webgpu', options: {} }]);
const reference = await createDevice('reference');

const test = (title: string, body: (device: Device) => Promise<void>): void =>
  everyTest(title, async (context) => {
    if (!made?.device) context.skip(made?.reason);
    else await body(made.device);
  });

/** The machine as kernels see that of a GPU, also where it is none: steps are unrolled. */
const asGpu = (machine: WebGpuMachine): WebGpuMachine => ({ ...machine, software: false });

/**
 * Whether a tile is the smallest with its invocations' block. The unrolled text of the others differs in numbers only, and
 * takes a GPU that is the CPU many seconds to compile.
 */
function smallestOfBlock(tile: Tile): boolean {
  const block = ({ invocationRows, invocationColumns }: Tile): string => `${invocationRows}×${invocationColumns}`;
  return tile === tiles.findLast((other) => block(other) === block(tile));
}

type WithLaunch<P> = P & { readonly launch: Launch };

const linearKernel = defineKernel<LinearInputs, { y: Slot }, WithLaunch<{ activation: 'gelu' }>>('linear', {
  webgpu: (inputs, outputs, params, machine) =>
    launchProduct(linearProduct(inputs, outputs, params, machine), params.launch, machine),
});
const conv2dKernel = defineKernel<Conv2dInputs, { y: Slot }, WithLaunch<Conv2dParams>>('conv2d', {
  webgpu: (inputs, outputs, params, machine) =>
    launchProduct(
      convolutionProduct(convolutionOf(inputs, outputs, params, machine), machine),
      params.launch,
      smallestOfBlock(params.launch.tile) ? asGpu(machine) : machine,
    ),
});
const matmulKernel = defineKernel<MatmulInputs, { y: Slot }, WithLaunch<{ transposeA: boolean; transposeB: boolean }>>(
  'matmul',
  {
    webgpu: (inputs, outputs, params, machine) =>
      launchProduct(matmulProduct(inputs, outputs, params), params.launch, asGpu(machine)),
  },
);

for (const tile of tiles) {
  const { rows, columns, depth } = tile;
  const name = `${rows}×${columns}×${depth}, ${tile.invocationRows}×${tile.invocationColumns} per invocation`;

  test(`${name}: a convolution of vectors, with sums split in two`, async (device) => {
    // The tile ends inside of the image, and the sums inside of the tile.
    const [height, width] = [3, Math.ceil(rows / 2) - 1];
    const outputs = columns + 4;
    const shape = [1, height, width, outputs];
    const inputs = {
      x: random([1, height, width, 4], { seed: 1 }),
      weight: random([outputs, 4, 3, 3], { seed: 2 }),
      residual: random(shape, { seed: 3 }),
    };
    const geometry = { stride: [1, 1], padding: [1, 1], dilation: [1, 1] } as const;
    const expected = await compute(reference, inputs, ({ x, weight, residual }) =>
      conv2d(x, weight, { ...geometry, residual }),
    );
    const actual = await compute(device, inputs, (operands) => {
      const y = device.empty(shape);
      const params = { ...geometry, groups: 1, activation: 'none', launch: { tile, splits: 2 } } as const;
      device.enqueue(conv2dKernel, { inputs: operands, outputs: { y }, params });
      return y;
    });
    expectClose(actual, expected, tolerance('sum', 'f32'));
  });

  // Rows of the left operand come in vectors of four, which an invocation has whole.
  if (tile.invocationRows % 4 !== 0 || !smallestOfBlock(tile)) continue;
  test(`${name}: the left operand transposed, by batches`, async (device) => {
    const [m, n, k] = [rows + 4, columns + 5, 2 * depth + 3];
    const inputs = { a: random([2, k, m], { seed: 9 }), b: random([2, k, n], { seed: 10 }) };
    const transposed = { transposeA: true, transposeB: false };
    const expected = await compute(reference, inputs, ({ a, b }) => matmul(a, b, transposed));
    const actual = await compute(device, inputs, (operands) => {
      const y = device.empty([2, m, n]);
      device.enqueue(matmulKernel, {
        inputs: operands,
        outputs: { y },
        params: { ...transposed, launch: { tile, splits: 2 } },
      });
      return y;
    });
    expectClose(actual, expected, tolerance('sum', 'f32'));
  });
}

const small = { rows: 16, columns: 16, depth: 16, invocationRows: 2, invocationColumns: 4 };
for (const prefetch of [false, true]) {
  const launch = (splits: number): Launch => ({ tile: { ...small, prefetch }, splits });
  const title = prefetch ? 'prefetched' : 'not prefetched';

  test(`${title}: sums in one, two and seven parts`, async (device) => {
    const inputs = {
      x: random([19, 101], { seed: 4 }),
      weight: random([21, 101], { seed: 5 }),
      bias: random([21], { seed: 6 }),
    };
    const options = { activation: 'gelu' } as const;
    const expected = await compute(reference, inputs, ({ x, weight, bias }) => linear(x, weight, { bias, ...options }));
    for (const splits of [1, 2, 7]) {
      const actual = await compute(device, inputs, (operands) => {
        const y = device.empty([19, 21]);
        device.enqueue(linearKernel, {
          inputs: operands,
          outputs: { y },
          params: { ...options, launch: launch(splits) },
        });
        return y;
      });
      expectClose(actual, expected, tolerance('sum', 'f32'), `${splits} parts`);
    }
  });

  test(`${title}: either operand transposed, by batches`, async (device) => {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const inputs = {
          a: random([2, 1, ...(transposeA ? [37, 18] : [18, 37])], { seed: 7 }),
          b: random([3, ...(transposeB ? [22, 37] : [37, 22])], { seed: 8 }),
        };
        const expected = await compute(reference, inputs, ({ a, b }) => matmul(a, b, { transposeA, transposeB }));
        const actual = await compute(device, inputs, (operands) => {
          const y = device.empty([2, 3, 18, 22]);
          const params = { transposeA, transposeB, launch: launch(2) };
          device.enqueue(matmulKernel, { inputs: operands, outputs: { y }, params });
          return y;
        });
        expectClose(actual, expected, tolerance('sum', 'f32'), `transposed ${transposeA}, ${transposeB}`);
      }
    }
  });
}

test('weights that change are packed anew', async (device) => {
  const [x, first, second] = [
    device.tensor([1, 2], [1, 2]),
    device.tensor([1, 10], [1, 2]),
    device.tensor([3, 4], [1, 2]),
  ];
  const [before, after] = [linear(x, first), linear(x, second)];
  expect([...(await before.read()), ...(await after.read())]).toEqual([21, 11]);
  for (const tensor of [x, first, second, before, after]) tensor.dispose();
});

everyTest('the device is disposed of', () => {
  made?.device?.dispose();
});
