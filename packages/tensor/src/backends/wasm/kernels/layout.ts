import { bytesPerElement, type DType } from '../../../dtype.js';
import { floatToHalf } from '../../../half.js';
import type { Slot } from '../../../kernel.js';
import type { CopyParams } from '../../../ops/copy.js';
import { sizeOf } from '../../../shape.js';
import { library } from '../library.generated.js';
import {
  f32,
  splitWork,
  type WasmArgument,
  type WasmKernel,
  type WasmMachine,
  type WasmOperand,
  type WasmStep,
} from '../program.js';

/** An axis of a strided block, strides in elements. */
interface Axis {
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

/** Bytes below which a chunk is not worth its dispatch. */
const leastBytes = 65536;

export const copyWasm: WasmKernel<{ x: Slot }, { y: Slot }, CopyParams> = {
  library,
  program: ({ x }, { y }, params, machine) => {
    if (sizeOf(params.shape) === 0) return [];
    const bytes = bytesPerElement(y.dtype);
    const axes = stridedAxes(params);
    const [inner] = axes;
    const offsets = [params.fromOffset, params.toOffset] as const;
    if (inner.from === 1 && inner.to === 1) return [copyRuns(x, y, axes, offsets, bytes, machine)];
    const rows = axes.findIndex((axis) => axis.from === 1);
    if (inner.to === 1 && rows > 0) return [transpose(x, y, axes, rows, offsets, bytes, machine)];
    const [columns, ...outer] = axes;
    const units = count(outer);
    const { size, chunks } = splitWork(units, machine, { least: Math.ceil(leastBytes / 8 / columns.size) });
    const block = [1, 0, 0, columns.size, columns.from, columns.to];
    const args = [x, y, ...block, ...offsets, units, size, outer.length, ...words(outer)];
    return [{ fn: `copyElements${bytes}`, args, chunks }];
  },
};

/** Copies a tensor as it lies in memory. */
export function contiguousCopy(x: WasmOperand, y: WasmOperand, machine: WasmMachine): WasmStep {
  const axis = { size: sizeOf(y.shape), from: 1, to: 1 };
  return copyRuns(x, y, [axis], [0, 0], bytesPerElement(y.dtype), machine);
}

type Axes = readonly [Axis, ...Axis[]];

function copyRuns(
  x: WasmOperand,
  y: WasmOperand,
  [run, ...outer]: Axes,
  offsets: readonly [number, number],
  bytes: number,
  machine: WasmMachine,
): WasmStep {
  // Few long runs are cut into pieces, so that there is something to share out.
  const rows = count(outer);
  const least = Math.ceil(leastBytes / bytes);
  const piece = rows < 4 * machine.threads ? splitWork(run.size, machine, { multiple: 64, least }).size : run.size;
  const units = rows * Math.ceil(run.size / piece);
  const { size, chunks } = splitWork(units, machine, { least: Math.ceil(least / piece) });
  const args = [x, y, 1, 0, 0, run.size, bytes, piece, ...offsets, units, size, outer.length, ...words(outer)];
  return { fn: 'copyRuns', args, chunks };
}

function transpose(
  x: WasmOperand,
  y: WasmOperand,
  axes: Axes,
  rowAxis: number,
  offsets: readonly [number, number],
  bytes: number,
  machine: WasmMachine,
): WasmStep {
  const [columns] = axes;
  const rows = axes[rowAxis]!;
  const outer = axes.filter((_, i) => i !== 0 && i !== rowAxis);
  const [tileRows, tileColumns] = Math.abs(rows.to) > Math.abs(columns.from) ? [8, 16] : [16, 8];
  const units = count(outer) * Math.ceil(rows.size / tileRows);
  const { size, chunks } = splitWork(units, machine, {
    least: Math.ceil(leastBytes / bytes / tileRows / columns.size),
  });
  const block = [rows.size, tileRows, rows.to, columns.size, columns.from, tileColumns];
  const args = [x, y, ...block, ...offsets, units, size, outer.length, ...words(outer)];
  return { fn: `transpose${bytes}`, args, chunks };
}

/** The axes of a block, fastest in `to` first, without those of size 1 and with neighbours joined where both sides allow it. */
function stridedAxes({ shape, fromStrides, toStrides }: CopyParams): Axes {
  const axes: Axis[] = [];
  for (let i = shape.length - 1; i >= 0; i--) {
    const axis = { size: shape[i]!, from: fromStrides[i]!, to: toStrides[i]! };
    const inner = axes.at(-1);
    if (axis.size === 1) continue;
    if (inner && axis.from === inner.from * inner.size && axis.to === inner.to * inner.size) {
      axes[axes.length - 1] = { ...inner, size: inner.size * axis.size };
    } else axes.push(axis);
  }
  const [first = { size: 1, from: 1, to: 1 }, ...rest] = axes;
  return [first, ...rest];
}

const count = (axes: readonly Axis[]): number => axes.reduce((n, axis) => n * axis.size, 1);

const words = (axes: readonly Axis[]): number[] => axes.flatMap((axis) => [axis.size, axis.from, axis.to]);

export const fillWasm: WasmKernel<object, { y: Slot }, { readonly value: number }> = {
  library,
  program: (_inputs, { y }, { value }, machine) => {
    const length = sizeOf(y.shape);
    const bytes = bytesPerElement(y.dtype);
    const { size, chunks } = splitWork(length, machine, { multiple: 64, least: leastBytes / bytes });
    const fn = bytes === 4 ? 'fillF32' : bytes === 2 ? 'fillF16' : 'fillU8';
    return length === 0 ? [] : [{ fn, args: [y, length, size, element(y.dtype, value)], chunks }];
  },
};

/** The word that holds `value` as an element of `dtype`, converted as `cast` does. */
function element(dtype: DType, value: number): WasmArgument {
  if (dtype === 'f32') return f32(value);
  if (dtype === 'f16') return floatToHalf(value);
  const [least, most] = dtype === 'u8' ? [0, 255] : [-(2 ** 31), 2 ** 31 - 1];
  return Number.isNaN(value) ? 0 : Math.min(Math.max(Math.trunc(value), least), most);
}
