/**
 * Dense 3×3 convolutions by Winograd's F(4×4, 3×3): a quarter of the multiplications, at about twice the rounding error
 * of a direct sum. The host side of assembly/winograd.ts.
 */
import type { Conv2dInputs, Conv2dParams } from '../../../ops/conv2d-forward.js';
import type { Bound, Slot } from '../../../kernel.js';
import { sizeOf } from '../../../shape.js';
import { library } from '../library.generated.js';
import {
  f32,
  scratch,
  splitWork,
  type WasmArgument,
  type WasmKernel,
  type WasmMachine,
  type WasmOperand,
  type WasmPrepared,
  type WasmScratch,
  type WasmStep,
} from '../program.js';
import { epilogueArguments } from './epilogue.js';
import { product } from './gemm.js';
import { packedBytes, panelColumns, panelsOf, type PackedMatrices } from './packing.js';

/** Products per tile: 6×6 for 4×4 outputs. */
export const winogradMatrices = 36;
const matrices = winogradMatrices;
const tileSize = 4;
/** Bytes of the transformed inputs and products that exist at a time. */
const bandBytes = 24 * 2 ** 20;
/** Scratch of the transforms in assembly/winograd.ts: their columns and rows of a run of 8 tiles. */
const inputBytes = 34 * 384 + 64;
const outputBytes = 6 * 256 + 64 + 4 * 32 * 64;
const packBytes = (18 + 6) * 8 + matrices * 8 * 32;

/** Input channels that a convolution uses of its weight's; the whole weight but for the levels of a pyramid. */
export interface ChannelRange {
  readonly first: number;
  readonly count: number;
}

export interface WinogradConvolution {
  readonly x: WasmOperand;
  readonly weight: WasmOperand;
  readonly range: ChannelRange;
  readonly y: WasmOperand;
  readonly padding: readonly [number, number];
  readonly epilogue: readonly WasmArgument[];
}

/** Always by Winograd; for `groups` = stride = dilation = 1 and a 3×3 kernel. */
export const conv2dWinogradWasm: WasmKernel<Conv2dInputs, { y: Slot }, Conv2dParams> = {
  library,
  program: (inputs: Bound<Conv2dInputs, WasmOperand>, { y }, { padding, activation }, machine) => {
    const { x, weight } = inputs;
    const range = { first: 0, count: weight.shape[1]! };
    return winogradSteps({ x, weight, range, y, padding, epilogue: epilogueArguments(inputs, activation) }, machine);
  },
};

const multipleOf = (value: number, step: number): number => Math.ceil(value / step) * step;

/**
 * The steps of a convolution. They go over the tiles in bands of even size, so that what lies between the transforms
 * stays small; each band reads all transformed weights, so that it should not be smaller than need be.
 */
export function winogradSteps(convolution: WinogradConvolution, machine: WasmMachine): WasmStep[] {
  const { x, weight, range, y, padding, epilogue } = convolution;
  const [images, height, width] = x.shape as [number, number, number];
  const [, outHeight, outWidth, outputs] = y.shape as [number, number, number, number];
  const channels = range.count;
  if (sizeOf(y.shape) === 0) return [];

  const tilesY = Math.ceil(outHeight / tileSize);
  const tilesX = Math.ceil(outWidth / tileSize);
  const tiles = images * tilesY * tilesX;
  const rowIn = multipleOf(channels, 4);
  const rowOut = multipleOf(outputs, panelColumns);
  const most = Math.max(16, Math.floor(bandBytes / (matrices * 4 * (rowIn + rowOut))));
  const bands = Math.ceil(tiles / most);
  // Two blocks of rows per band, both of whole tiles of the product.
  const band = Math.min(tiles, multipleOf(Math.ceil(tiles / bands), 2 * machine.tileRows));
  const stepIn = winogradMatrixStep(band * rowIn);
  const stepOut = winogradMatrixStep(band * rowOut);

  const transformed = scratch(matrices * stepIn * 4);
  const products = scratch(matrices * stepOut * 4);
  const outputScratch = scratch(outputBytes * machine.threads);
  const layout: PackedMatrices = { matrices, n: rowOut, channels, taps: 1, zeros: panelColumns };
  const packed = winogradWeight(weight, range, layout, machine);
  const constants = [f32(2), f32(1 / 2)];

  const steps: WasmStep[] = [];
  for (let first = 0; first < tiles; first += band) {
    const count = Math.min(band, tiles - first);
    const grid = [tilesY, tilesX, first, count] as const;
    // About 20 µs of one transform.
    const least = Math.ceil(2 ** 12 / Math.max(rowIn, rowOut));
    const { size, chunks } = splitWork(count, machine, { multiple: 4, least });
    steps.push(
      winogradInputStep({ x, size: [height, width, x.shape[3]!], padding, grid, transformed, stepIn, rowIn }, machine),
      ...product(
        {
          fn: 'gemm',
          a: transformed,
          packed,
          layout,
          c: products,
          m: count,
          lda: rowIn,
          ldc: rowOut,
          epilogue: [0, 0, 0, 0, 0],
          batch: [{ size: matrices, a: stepIn, b: 1 }],
          matrixStride: stepOut,
        },
        machine,
      ),
      {
        fn: 'winogradOutput',
        args: [
          ...[y, products, outHeight, outWidth, outputs, ...grid, size, stepOut * 4, rowOut * 4],
          ...[outputScratch, outputBytes, ...constants, ...epilogue],
        ],
        chunks,
      },
    );
  }
  return steps;
}

/** A band of tiles of an image, and where its 36 matrices go. */
export interface WinogradInput {
  readonly x: WasmOperand;
  readonly size: readonly [height: number, width: number, channels: number];
  readonly padding: readonly [number, number];
  readonly grid: readonly [tilesY: number, tilesX: number, first: number, count: number];
  readonly transformed: WasmScratch;
  /** Floats between matrices, and between the rows of one. */
  readonly stepIn: number;
  readonly rowIn: number;
}

/** Transforms a band of the input. */
export function winogradInputStep(input: WinogradInput, machine: WasmMachine): WasmStep {
  const { x, size, padding, grid, transformed, stepIn, rowIn } = input;
  const split = splitWork(grid[3], machine, { multiple: 4, least: Math.ceil(2 ** 12 / rowIn) });
  return {
    fn: 'winogradInput',
    args: [
      ...[x, transformed, ...size, ...grid, split.size, stepIn * 4, rowIn * 4],
      ...[scratch(inputBytes * machine.threads), inputBytes, f32(2), f32(1 / 2), ...padding, f32(3 / 2)],
    ],
    chunks: split.chunks,
  };
}

/**
 * Floats between matrices: an odd number of cache lines, so that one place of all 36, which the transforms access
 * together, falls into different sets of the cache.
 */
export function winogradMatrixStep(floats: number): number {
  const lines = Math.ceil(floats / 16);
  return (lines | 1) * 16;
}

/** How the taps along an axis are transformed, as assembly/winograd-pack.ts numbers it, and the values that it makes. */
export const tapTransforms = {
  four: { kind: 0, values: 6 },
  odd: { kind: 1, values: 4 },
  even: { kind: 2, values: 1 },
} as const;

export type TapTransform = keyof typeof tapTransforms;

/** The transformed weights in panels. */
export function winogradWeight(
  weight: WasmOperand,
  { first, count }: ChannelRange,
  layout: PackedMatrices,
  machine: WasmMachine,
  rows: TapTransform = 'four',
  columns: TapTransform = 'four',
): WasmPrepared {
  const [outputs, all] = weight.shape as [number, number];
  const { size, chunks } = splitWork(panelsOf(outputs), machine, { least: Math.ceil(2 ** 6 / count) });
  const own = scratch(packBytes * machine.threads);
  const kinds = [tapTransforms[rows].kind, tapTransforms[columns].kind];
  return {
    kind: 'prepared',
    of: weight,
    key: `winograd ${rows} ${columns} ${first}+${count}`,
    bytes: packedBytes(layout),
    fill: (target) => [
      {
        fn: 'packWinograd',
        args: [weight, target, outputs, all, first, count, size, layout.zeros * 4, own, packBytes, ...kinds],
        chunks,
      },
    ],
  };
}
