/**
 * The host side of assembly/gemm.ts: how a matrix product is cut into blocks and chunks, and its argument words.
 */
import { f32, scratch, type WasmArgument, type WasmMachine, type WasmStep } from '../program.js';
import {
  matrixBytes,
  packedBytes,
  panelColumns,
  panelsOf,
  zerosOffset,
  type PackedMatrices,
  type RowRange,
} from './packing.js';

/** Numbers of a panel that a block takes: those of a tile's panels stay in the first-level cache beside its rows. */
const blockOfPanel = 4096;
/** Numbers of the left operand that a block takes, in whole tiles: they stay in the second-level cache. */
const blockOfRows = 49152;
/** Panels of a chunk, so that the block's part of the result stays there too. */
const blockPanels = 64;
/** Panels of a chunk at least: with fewer of them the reading of the left operand begins to show, and its transposition. */
const [fewPanels, fewTransposedPanels] = [4, 32];
/** Multiply-adds that a chunk should have, about 20 µs. */
const chunkWork = 2 ** 19;
/** Chunks for each thread: at the end the others wait for a chunk of the slowest, and cores that are shared differ. */
const threadChunks = 24;

/** A convolution's geometry as the product sees it. */
export interface ConvolutionRows {
  readonly input: readonly [height: number, width: number, channels: number];
  readonly output: readonly [height: number, width: number];
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
}

/** An axis along which matrices lie; `a` in floats, `b` in packed matrices from one to the next. */
export interface BatchAxis {
  readonly size: number;
  readonly a: number;
  readonly b: number;
}

export interface Product {
  readonly fn: 'gemm' | 'gemmTransposed' | 'gemmConv';
  readonly a: WasmArgument;
  readonly packed: WasmArgument;
  readonly layout: PackedMatrices;
  readonly c: WasmArgument;
  readonly m: number;
  /** Floats from one row of `a` to the next; not used by a convolution. */
  readonly lda: number;
  readonly ldc: number;
  readonly epilogue: readonly WasmArgument[];
  /** Innermost first. Default: one matrix. */
  readonly batch?: readonly BatchAxis[];
  /** Floats of `c`, and channels of the epilogue, from one matrix to the next. */
  readonly matrixStride?: number;
  readonly channelStride?: number;
  readonly convolution?: ConvolutionRows;
  /** Terms of the sums that are added to what is there of them. Default: all. */
  readonly terms?: RowRange;
}

const multipleOf = (value: number, step: number): number => Math.ceil(value / step) * step;

/** Splits `total` evenly into parts of at most `most`, each a multiple of `step` but for the last. */
function evenParts(total: number, most: number, step: number): { size: number; count: number } {
  const parts = Math.ceil(total / most);
  const size = multipleOf(Math.ceil(total / parts), step);
  return { size, count: Math.ceil(total / size) };
}

/** Rows of K that a block takes, at most. */
const depthOf = ({ tileColumns }: WasmMachine): number => blockOfPanel / tileColumns;

/** Rows of K that each block takes but for the last. */
const blockDepth = (k: number, machine: WasmMachine): number => evenParts(k, depthOf(machine), 4).size;

/** Numbers of both operands that stay in the caches while all chunks read them. */
const cachedOperands = 2 ** 18;
/** Most sums that stay there beside them. */
const cachedSums = 2 ** 18;

/**
 * The terms of the sums of one matrix in ranges of whole blocks. Where the sums are few but long, chunks are narrow, and read
 * the operands many times: a range of them at a time, from the caches. It depends on the shape alone. The columns of an
 * incomplete panel are in c only when their sums are complete, so that it takes whole panels.
 */
export function termRanges(m: number, n: number, k: number, machine: WasmMachine): RowRange[] {
  const depth = blockDepth(k, machine);
  const fitting = Math.max(2, Math.floor(cachedOperands / (m + n) / depth)) * depth;
  const size = n % panelColumns === 0 && m * n <= cachedSums && k >= 2 * fitting ? fitting : k;
  return Array.from({ length: Math.ceil(k / size) }, (_, i) => ({
    first: i * size,
    last: Math.min(k, (i + 1) * size),
  }));
}

/** Rows and panels per chunk: whole blocks where there are enough of them, smaller ones to keep every thread busy. */
function planChunks(
  m: number,
  n: number,
  k: number,
  matrices: number,
  leastPanels: number,
  machine: WasmMachine,
): { rows: { size: number; count: number }; panels: { size: number; count: number } } {
  const { tileRows } = machine;
  let rows = evenParts(m, blockOfRows / depthOf(machine), tileRows);
  // Whole tiles but for the last.
  const tilePanels = machine.tileColumns / panelColumns;
  let panels = evenParts(panelsOf(n), blockPanels, tilePanels);
  if (machine.threads > 1) {
    const affordable = Math.ceil((matrices * m * n * k) / chunkWork);
    const wanted = Math.min(machine.threads * threadChunks, affordable);
    const short = (): number => Math.ceil(wanted / (matrices * rows.count * panels.count));
    // Narrow chunks read less of b, so the panels are divided first.
    if (short() > 1)
      panels = evenParts(panelsOf(n), Math.max(leastPanels, Math.ceil(panels.size / short())), tilePanels);
    if (short() > 1) rows = evenParts(m, Math.max(tileRows, Math.ceil(rows.size / short())), tileRows);
  }
  return { rows, panels };
}

/** The step that computes `c = epilogue(a · b)`; no work leaves no step. */
export function product(options: Product, machine: WasmMachine): WasmStep[] {
  const { fn, a, packed, layout, c, m, lda, ldc, epilogue, convolution } = options;
  const { n, channels, taps } = layout;
  const k = channels * taps;
  const batch = options.batch ?? [];
  const matrices = batch.reduce((count, axis) => count * axis.size, 1);
  if (m * n * matrices === 0) return [];
  if (k === 0) return emptySum(options, machine);

  const terms = options.terms ?? { first: 0, last: k };
  const leastPanels = fn === 'gemmTransposed' ? fewTransposedPanels : fewPanels;
  const { rows, panels } = planChunks(m, n, terms.last - terms.first, matrices, leastPanels, machine);
  const depth = blockDepth(k, machine);
  const segments = convolution ? Math.min(taps, Math.floor((depth - 1) / channels) + 2) : 1;
  const { tileRows } = machine;
  const tableBytes = (rows.size / tileRows) * (1 + segments * (1 + tileRows)) * 4;
  // Columns are transposed four at a time.
  const transposedBytes = multipleOf(rows.size, 4) * depth * 4;
  const sourceBytes = fn === 'gemmConv' ? rows.size * 12 : fn === 'gemmTransposed' ? transposedBytes : 0;
  const threadBytes = multipleOf(rows.size * panelColumns * 4 + tableBytes + sourceBytes, 64);

  return [
    {
      fn,
      args: [
        ...[a, packed, c, m, n, k, depth, rows.size, panels.size, rows.count, panels.count, lda, ldc],
        ...[scratch(threadBytes * machine.threads), threadBytes, zerosOffset(layout), segments],
        ...epilogue,
        ...[options.matrixStride ?? 0, options.channelStride ?? 0, matrixBytes(layout), terms.first, terms.last],
        ...[batch.length, ...batch.flatMap((axis) => [axis.size, axis.a, axis.b])],
        ...(convolution ? convolutionArguments(convolution, channels) : []),
      ],
      chunks: rows.count * panels.count * matrices,
    },
  ];
}

/** A product over K = 0: the epilogue of zeros, as the product of two matrices of zeros with K = 1. */
function emptySum(options: Product, machine: WasmMachine): WasmStep[] {
  const layout = { ...options.layout, matrices: 1, channels: 1, taps: 1 };
  const words = packedBytes(layout) / 4;
  const zeros = scratch(words * 4);
  const batch = (options.batch ?? []).map(({ size }) => ({ size, a: 0, b: 0 }));
  const { convolution: _, ...rest } = options;
  return [
    { fn: 'fillF32', args: [zeros, words, words, f32(0)], chunks: 1 },
    ...product({ ...rest, fn: 'gemm', a: zeros, packed: zeros, lda: 0, layout, batch }, machine),
  ];
}

function convolutionArguments(rows: ConvolutionRows, perTap: number): number[] {
  const { input, output, kernel, stride, padding, dilation } = rows;
  const joined = dilation[1] === 1 && perTap === input[2] ? 1 : 0;
  return [...input, ...output, kernel[1], ...stride, ...padding, ...dilation, joined, perTap];
}
