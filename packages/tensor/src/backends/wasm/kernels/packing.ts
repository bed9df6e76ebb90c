/**
 * The layout of a product's right operand: panels of 8 columns `[matrix][panel][K][8]`, then zeros that stand for what
 * lies outside of an image and for a sum's beginning.
 */
import {
  splitWork,
  type WasmArgument,
  type WasmMachine,
  type WasmOperand,
  type WasmPrepared,
  type WasmStep,
} from '../program.js';

/** Columns of a panel. */
export const panelColumns = 8;

export interface PackedMatrices {
  readonly matrices: number;
  /** Columns of each matrix. */
  readonly n: number;
  /** Rows: channels × taps. */
  readonly channels: number;
  readonly taps: number;
  /** Floats of the run of zeros at the end, {@link panelColumns} or more. */
  readonly zeros: number;
}

export const panelsOf = (n: number): number => Math.ceil(n / panelColumns);

/** Bytes of one packed matrix. */
export const matrixBytes = ({ n, channels, taps }: PackedMatrices): number =>
  panelsOf(n) * panelColumns * channels * taps * 4;

/** Bytes before the zeros. */
export const zerosOffset = (packed: PackedMatrices): number => packed.matrices * matrixBytes(packed);

export const packedBytes = (packed: PackedMatrices): number => zerosOffset(packed) + packed.zeros * 4;

/** Packs `from`, `[matrix][n][channel][tap]`: PyTorch's layout of weights. */
export function packRows(from: WasmArgument, to: WasmArgument, packed: PackedMatrices, machine: WasmMachine): WasmStep {
  const { matrices, n, channels, taps, zeros } = packed;
  const least = Math.ceil(2 ** 15 / (panelColumns * channels * taps));
  const { size, chunks } = splitWork(matrices * panelsOf(n), machine, { least });
  return { fn: 'packRows', args: [from, to, matrices, n, channels, taps, size, zeros * 4], chunks };
}

/** Packs `from`, `[matrix][k][n]`; of a single matrix, if given, only the rows of a range. */
export function packColumns(
  from: WasmArgument,
  to: WasmArgument,
  packed: PackedMatrices,
  machine: WasmMachine,
  { first, last }: RowRange = { first: 0, last: packed.matrices * packed.channels },
): WasmStep {
  const { matrices, n, channels, zeros } = packed;
  const { size, chunks } = splitWork(last - first, machine, { least: Math.ceil(2 ** 15 / n) });
  return { fn: 'packColumns', args: [from, to, matrices, n, channels, size, zeros * 4, first, last], chunks };
}

/** Rows of a product's right operand: terms of its sums. */
export interface RowRange {
  readonly first: number;
  readonly last: number;
}

/** Weights in PyTorch's layout, packed once and kept with them. */
export function packedWeight(weight: WasmOperand, layout: PackedMatrices, machine: WasmMachine): WasmPrepared {
  const { matrices, n, channels, taps, zeros } = layout;
  return {
    kind: 'prepared',
    of: weight,
    key: `panels ${matrices}×${n}×${channels}×${taps}+${zeros}`,
    bytes: packedBytes(layout),
    fill: (target) => [packRows(weight, target, layout, machine)],
  };
}
