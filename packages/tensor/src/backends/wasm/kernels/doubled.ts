/**
 * A 3×3 convolution over a map upsampled to twice its size: the host side of assembly/doubled.ts, which explains the
 * identity.
 */
import {
  f32,
  scratch,
  splitWork,
  type WasmMachine,
  type WasmOperand,
  type WasmPrepared,
  type WasmScratch,
  type WasmStep,
} from '../program.js';
import { product } from './gemm.js';
import { panelColumns, type PackedMatrices } from './packing.js';
import { tapTransforms, winogradMatrixStep, winogradWeight, type ChannelRange } from './winograd.js';

/** Rows and columns of the map in a tile. */
const tileSize = 3;
/** Channels that the transforms take at a time, and their bytes. */
const blockChannels = 16;
const blockBytes = 64;
/** Lines in assembly/doubled.ts: of a row of tiles between the transforms, and of a block of outputs between bands. */
const tileLines = 7;
const ringLines = 12;
/** Bytes of the transformed inputs and products that exist at a time. */
const bandBytes = 18 * 2 ** 20;
/** Floats that a chunk of the input's transform writes, about 20 µs. */
const chunkFloats = 2 ** 15;
/** Of the nine products per pixel that a sum over taps needs, the share up to which this form pays. */
const worthwhile = 0.8;

export interface DoubledConvolution {
  readonly x: WasmOperand;
  readonly weight: WasmOperand;
  readonly range: ChannelRange;
  /** Holds what is added to. */
  readonly y: WasmOperand;
}

type Image = readonly [images: number, height: number, width: number, channels: number];

/** The odd places are three more than the map has pixels. */
const tilesAlong = (size: number): number => Math.ceil((size + 3) / tileSize);

/** Whether this form computes what a map contributes to `y` at all. */
export function fitsDoubled(x: WasmOperand, y: WasmOperand): boolean {
  const [, height, width, channels] = x.shape as Image;
  const [, outHeight, outWidth, outputs] = y.shape as Image;
  const doubled = height > 0 && outHeight === 2 * height && outWidth === 2 * width;
  return doubled && channels % blockChannels === 0 && outputs % blockChannels === 0;
}

/** Whether it is the faster form for a map that it fits. */
export function paysDoubled(x: WasmOperand): boolean {
  const [, height, width] = x.shape as Image;
  const products = (4 * tilesAlong(height) + height) * (4 * tilesAlong(width) + width);
  return products <= worthwhile * 9 * height * width;
}

/** The steps that add the map's part to `y`. */
export function doubledSteps(convolution: DoubledConvolution, machine: WasmMachine): WasmStep[] {
  const { x, y } = convolution;
  const [images, height, width, channels] = x.shape as Image;
  const outputs = y.shape[3]!;
  const tilesX = tilesAlong(width);
  const tilesY = tilesAlong(height);
  const sets = setsOf(convolution, machine);
  const placesOfRow = sets.reduce((sum, { matrices, perRow }) => sum + matrices * perRow, 0);
  const rowBytes = placesOfRow * (channels + outputs) * 4;
  const band = Math.ceil(tilesY / Math.min(tilesY, Math.ceil((tilesY * rowBytes) / bandBytes)));
  const spaces = sets.map(({ matrices, perRow }) => {
    const stepIn = winogradMatrixStep(band * perRow * channels);
    const stepOut = winogradMatrixStep(band * perRow * outputs);
    return { stepIn, stepOut, from: scratch(matrices * stepIn * 4), to: scratch(matrices * stepOut * 4) };
  });
  const inputBytes = (tileSize * tilesX + 1) * tileLines * blockBytes;
  const inputScratch = scratch(inputBytes * machine.threads);
  const outputBytes = tileSize * (tileSize * tilesX + width) * blockBytes;
  const outputScratch = scratch(outputBytes * machine.threads);
  const outputBlocks = outputs / blockChannels;
  const ring = scratch(outputBlocks * ringLines * 2 * width * blockBytes);
  const least = Math.ceil(chunkFloats / (placesOfRow * blockChannels));

  const steps: WasmStep[] = [];
  for (let image = 0; image < images; image++) {
    for (let first = 0; first < tilesY; first += band) {
      const rows = Math.min(band, tilesY - first);
      const evenEnd = Math.min(tileSize * (first + rows) - 1, height);
      const evenRows = Math.max(evenEnd - Math.max(tileSize * first - 1, 0), 0);
      const place = [image, first, rows, tilesX] as const;
      const [oddOdd, oddEven, evenOdd, evenEven] = spaces as [Space, Space, Space, Space];
      const { size, chunks } = splitWork(channels / blockChannels, machine, { least, perThread: Math.ceil(4 / rows) });
      steps.push({
        fn: 'doubledInput',
        args: [
          ...[x, height, width, channels, ...place],
          ...[oddOdd, oddEven, evenOdd].flatMap(({ from, stepIn }) => [from, stepIn * 4]),
          ...[evenEven.from, inputScratch, inputBytes, size, chunks, f32(-1 / 3)],
        ],
        chunks: rows * chunks,
      });
      sets.forEach((set, i) => {
        steps.push(...multiply(set, spaces[i]!, (set.odd ? rows : evenRows) * set.perLine, machine));
      });
      steps.push({
        fn: 'doubledOutput',
        args: [
          ...[y, height, width, outputs, ...place],
          ...[oddOdd, oddEven, evenOdd].flatMap(({ to, stepOut }) => [to, stepOut * 4]),
          ...[evenEven.to, outputScratch, outputBytes, ring],
        ],
        chunks: outputBlocks,
      });
    }
  }
  return steps;
}

/** The matrices of odd or even rows and odd or even columns. */
interface ProductSet {
  readonly matrices: number;
  readonly layout: PackedMatrices;
  readonly packed: WasmPrepared;
  /** Whether they are of odd rows, of which a row of tiles has one line, else one for each row of the map. */
  readonly odd: boolean;
  /** Places of a line, and of a row of tiles. */
  readonly perLine: number;
  readonly perRow: number;
}

/** Where the transformed inputs and products of a set lie; floats from one matrix to the next. */
interface Space {
  readonly from: WasmScratch;
  readonly to: WasmScratch;
  readonly stepIn: number;
  readonly stepOut: number;
}

/** Odd rows and columns, odd rows and even columns, even rows and odd columns, even rows and columns. */
function setsOf({ x, weight, range, y }: DoubledConvolution, machine: WasmMachine): ProductSet[] {
  const width = x.shape[2]!;
  const kinds = ['odd', 'even'] as const;
  return kinds.flatMap((rows) =>
    kinds.map((columns) => {
      const matrices = tapTransforms[rows].values * tapTransforms[columns].values;
      const layout = { matrices, n: y.shape[3]!, channels: range.count, taps: 1, zeros: panelColumns };
      const perLine = columns === 'odd' ? tilesAlong(width) : width;
      const odd = rows === 'odd';
      const packed = winogradWeight(weight, range, layout, machine, rows, columns);
      return { matrices, layout, packed, odd, perLine, perRow: odd ? perLine : tileSize * perLine };
    }),
  );
}

/** The products of a set with `m` places. */
function multiply({ matrices, layout, packed }: ProductSet, space: Space, m: number, machine: WasmMachine): WasmStep[] {
  const { n, channels } = layout;
  const { from, to, stepIn, stepOut } = space;
  return product(
    {
      ...{ fn: 'gemm', a: from, packed, layout, c: to, m, lda: channels, ldc: n, epilogue: [0, 0, 0, 0, 0] },
      batch: [{ size: matrices, a: stepIn, b: 1 }],
      matrixStride: stepOut,
    },
    machine,
  );
}
