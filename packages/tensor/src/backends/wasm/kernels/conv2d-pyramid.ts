/**
 * A 3×3 convolution over maps of several sizes, without the upsampled maps: the host side of assembly/pyramid.ts, which
 * explains the identity.
 */
import type { Slot } from '../../../kernel.js';
import type { Conv2dPyramidInputs, Conv2dPyramidParams } from '../../../ops/conv2d-pyramid.js';
import { sizeOf } from '../../../shape.js';
import type { ConvolutionAlgorithm } from '../../convolution.js';
import { library } from '../library.generated.js';
import {
  scratch,
  splitWork,
  type WasmArgument,
  type WasmKernel,
  type WasmMachine,
  type WasmOperand,
  type WasmPrepared,
  type WasmStep,
} from '../program.js';
import { convolutionAlgorithm } from './convolution-algorithm.js';
import { doubledSteps, fitsDoubled, paysDoubled } from './doubled.js';
import { epilogueArguments } from './epilogue.js';
import { product } from './gemm.js';
import { packedBytes, panelColumns, panelsOf, type PackedMatrices } from './packing.js';
import { winogradSteps, type ChannelRange } from './winograd.js';

type Kernel = WasmKernel<Conv2dPyramidInputs, { y: Slot }, Conv2dPyramidParams>;
type Image = readonly [images: number, height: number, width: number, channels: number];

const taps = 9;
const padding = [1, 1] as const;
/** The finest map's part is finished together with the others, and so has no epilogue of its own. */
const noEpilogue = [0, 0, 0, 0, 0] as const;

/** Panels of outputs that a chunk computes: 16 outputs are one cache line of a pixel. */
const blockPanels = 2;
/** Columns of a chunk at most, so that its buffers fit the second-level cache. */
const chunkColumns = 160;
/** Rows of a chunk at least: the rows of each level at its upper and lower edge are computed by its neighbours too. */
const chunkRows = 8;
/** Pixels of a level whose products are computed together: enough to make good use of the weights that are read. */
const groupPixels = 192;

/** Sizes in assembly/pyramid-level.ts. */
const stateBytes = 128;
const entryBytes = 48;

/** Every map's part by the algorithm that suits its shape. */
export const conv2dPyramidWasm: Kernel = {
  library,
  program(inputs, outputs, params, machine) {
    const [images, height, width, channels] = inputs.x.shape as Image;
    const algorithm = convolutionAlgorithm({
      images,
      output: [height, width],
      channels,
      outputs: inputs.weight.shape[0]!,
      kernel: [3, 3],
      stride: [1, 1],
      dilation: [1, 1],
      groups: 1,
    });
    return conv2dPyramidBy(algorithm, paysDoubled).program(inputs, outputs, params, machine);
  },
};

/**
 * The kernel with the finest map's part by one algorithm always, and maps of half its size in the form of doubled.ts
 * where `doubled` says so.
 */
export function conv2dPyramidBy(algorithm: ConvolutionAlgorithm, doubled: (map: WasmOperand) => boolean): Kernel {
  return {
    library,
    program(inputs, { y }, { activation }, machine) {
      if (sizeOf(y.shape) === 0) return [];
      const { x, weight } = inputs;
      const finest = { first: 0, count: x.shape[3]! };
      const main = algorithm === 'winograd4' ? winogradSteps : implicitSteps;
      const levels: Level[] = [];
      let first = finest.count;
      for (const map of [inputs.level1, inputs.level2, inputs.level3, inputs.level4]) {
        const count = map?.shape[3] ?? 0;
        if (map && count > 0) levels.push({ map, range: { first, count } });
        first += count;
      }
      const isDoubled = ({ map }: Level): boolean => fitsDoubled(map, y) && doubled(map);
      const others = levels.filter((level) => !isDoubled(level));
      return [
        ...main({ x, weight, range: finest, y, padding, epilogue: noEpilogue }, machine),
        ...levels.filter(isDoubled).flatMap(({ map, range }) => doubledSteps({ x: map, weight, range, y }, machine)),
        pyramidStep(others, weight, y, epilogueArguments(inputs, activation), machine),
      ];
    },
  };
}

interface Level {
  readonly map: WasmOperand;
  readonly range: ChannelRange;
}

/** The step that adds the coarser maps' parts to `y` and applies the epilogue. */
function pyramidStep(
  levels: readonly Level[],
  weight: WasmOperand,
  y: WasmOperand,
  epilogue: readonly WasmArgument[],
  machine: WasmMachine,
): WasmStep {
  const [images, height, width, outputs] = y.shape as Image;
  const blocks = Math.ceil(panelsOf(outputs) / blockPanels);
  const columns = evenly(width, chunkColumns);
  const columnChunks = Math.ceil(width / columns);
  const wanted = machine.threads === 1 ? 1 : Math.ceil((machine.threads * 4) / (images * columnChunks * blocks));
  const rows = evenly(height, Math.max(chunkRows, Math.ceil(height / wanted)));
  const rowChunks = Math.ceil(height / rows);

  const pixelBytes = blockPanels * panelColumns * 4;
  const { tileRows } = machine;
  /** Of the table that locates a tile's rows, as in assembly/gemm-tile.ts. */
  const tileBytes = 4 + 4 + 4 * tileRows;
  let threadBytes = multipleOf(columns * pixelBytes, 64);
  const words = levels.flatMap(({ map, range }) => {
    const [, h, w, channels] = map.shape as Image;
    const most = widestSpan(w, width, columns);
    const group = Math.min(h, Math.ceil(groupPixels / most));
    const ring = widestSpan(h, height, 1);
    const place = threadBytes;
    const table = multipleOf(columns * entryBytes, 64) + multipleOf(group * Math.ceil(most / tileRows) * tileBytes, 64);
    const lines = group * most * taps * pixelBytes + ring * 3 * (columns * pixelBytes + 64);
    threadBytes += stateBytes + table + lines;
    return [
      map,
      packedTaps(weight, range, blockPanels, panelColumns, machine),
      h,
      w,
      channels,
      group,
      ring,
      most,
      place,
    ];
  });
  return {
    fn: 'pyramid',
    args: [
      ...[y, height, width, outputs, blockPanels, rows, columns, rowChunks, columnChunks, blocks],
      ...[scratch(threadBytes * machine.threads), threadBytes, levels.length, ...epilogue, ...words],
    ],
    chunks: images * rowChunks * columnChunks * blocks,
  };
}

/** The finest map's part as a product without an im2col copy. */
function implicitSteps(
  { x, weight, range, y, epilogue }: Parameters<typeof winogradSteps>[0],
  machine: WasmMachine,
): WasmStep[] {
  const [images, height, width, channels] = x.shape as Image;
  const outputs = y.shape[3]!;
  const zeros = Math.max(panelColumns, 3 * channels);
  const layout: PackedMatrices = { matrices: 1, n: outputs, channels, taps, zeros };
  const convolution = {
    input: [height, width, channels],
    output: [height, width],
    kernel: [3, 3],
    stride: [1, 1],
    padding,
    dilation: [1, 1],
  } as const;
  return product(
    {
      fn: 'gemmConv',
      a: x,
      packed: packedTaps(weight, range, 1, zeros, machine),
      layout,
      c: y,
      m: images * height * width,
      lda: channels,
      ldc: outputs,
      epilogue,
      convolution,
    },
    machine,
  );
}

/** The weights of some input channels by tap, in blocks of `perBlock` panels. */
function packedTaps(
  weight: WasmOperand,
  { first, count }: ChannelRange,
  perBlock: number,
  zeros: number,
  machine: WasmMachine,
): WasmPrepared {
  const [outputs, all] = weight.shape as readonly [number, number];
  const panels = panelsOf(outputs);
  const n = multipleOf(panels, perBlock) * panelColumns;
  const { size, chunks } = splitWork(panels, machine, { least: Math.ceil(2 ** 12 / (taps * Math.max(count, 1))) });
  return {
    kind: 'prepared',
    of: weight,
    key: `taps ${first}+${count} by ${perBlock} zeros ${zeros}`,
    bytes: packedBytes({ matrices: 1, n, channels: count, taps, zeros }),
    fill: (target) => [
      { fn: 'packTaps', args: [weight, target, outputs, all, first, count, taps, perBlock, size, zeros * 4], chunks },
    ],
  };
}

/** The most rows or columns of a level of size `input` that `length` consecutive ones of the result (and a tap) read. */
function widestSpan(input: number, output: number, length: number): number {
  const low = (i: number): number => Math.min(Math.floor(Math.max(((i + 0.5) * input) / output - 0.5, 0)), input - 1);
  let widest = 0;
  for (let first = 0; first < output; first += length) {
    const last = Math.min(low(Math.min(first + length, output - 1)) + 1, input - 1);
    widest = Math.max(widest, last - low(Math.max(first - 1, 0)) + 1);
  }
  return widest;
}

const multipleOf = (value: number, step: number): number => Math.ceil(value / step) * step;

/** The size of even parts of at most `most`. */
const evenly = (total: number, most: number): number => Math.ceil(total / Math.ceil(total / most));
