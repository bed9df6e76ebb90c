import type { DType } from '../../../dtype.js';
import type { AddScaledInputs, BinaryFunction, BinaryInputs, UnaryFunction } from '../../../ops/elementwise.js';
import type { Slot } from '../../../kernel.js';
import { broadcastStrides, sizeOf, type Shape } from '../../../shape.js';
import { library } from '../library.generated.js';
import { splitWork, type WasmKernel, type WasmMachine, type WasmStep } from '../program.js';
import { contiguousCopy } from './layout.js';

/** Elements below which a chunk is not worth its dispatch. */
const leastElements = 16384;

export const unaryWasm: WasmKernel<{ x: Slot }, { y: Slot }, { readonly fn: UnaryFunction }> = {
  library,
  program: ({ x }, { y }, { fn }, machine) => {
    const length = sizeOf(y.shape);
    const { size, chunks } = splitWork(length, machine, { multiple: 16, least: leastElements });
    return length === 0 ? [] : [{ fn: `${fn}F32`, args: [x, y, length, size], chunks }];
  },
};

/** An axis of an elementwise operation and how far apart its elements lie in each operand. */
interface Axis {
  readonly size: number;
  readonly a: number;
  readonly b: number;
}

export const binaryWasm: WasmKernel<BinaryInputs, { y: Slot }, { readonly fn: BinaryFunction }> = {
  library,
  program: ({ a, b }, { y }, { fn }, machine) => {
    if (sizeOf(y.shape) === 0) return [];
    const [row = { size: 1, a: 1, b: 1 }, ...outer] = broadcastAxes(a.shape, b.shape, y.shape);
    const rows = outer.reduce((n, axis) => n * axis.size, 1);
    const { rowsPerChunk, columnsPerChunk, chunks } = splitRows(rows, row.size, machine);
    const axes = outer.flatMap((axis) => [axis.size, axis.a, axis.b]);
    const shape = [row.size, row.a, row.b, rows, rowsPerChunk, columnsPerChunk, outer.length];
    return [{ fn: `${fn}F32`, args: [a, b, y, ...shape, ...axes], chunks }];
  },
};

/** The axes of y, fastest first, without those of size 1 and with neighbours joined where both operands allow it. */
function broadcastAxes(a: Shape, b: Shape, y: Shape): Axis[] {
  const stridesA = broadcastStrides(a, y);
  const stridesB = broadcastStrides(b, y);
  const axes: Axis[] = [];
  for (let i = y.length - 1; i >= 0; i--) {
    const axis = { size: y[i]!, a: stridesA[i]!, b: stridesB[i]! };
    const inner = axes.at(-1);
    if (axis.size === 1) continue;
    if (inner && axis.a === inner.a * inner.size && axis.b === inner.b * inner.size) {
      axes[axes.length - 1] = { ...inner, size: inner.size * axis.size };
    } else axes.push(axis);
  }
  return axes;
}

/** Splits a matrix into blocks of whole rows, or a few long rows into pieces. */
function splitRows(
  rows: number,
  columns: number,
  machine: WasmMachine,
): { rowsPerChunk: number; columnsPerChunk: number; chunks: number } {
  if (rows < 4 * machine.threads) {
    const { size, chunks } = splitWork(columns, machine, { multiple: 16, least: leastElements });
    return { rowsPerChunk: 1, columnsPerChunk: size, chunks: chunks * rows };
  }
  const { size, chunks } = splitWork(rows, machine, { least: Math.ceil(leastElements / columns) });
  return { rowsPerChunk: size, columnsPerChunk: columns, chunks };
}

export const addScaledWasm: WasmKernel<AddScaledInputs, { z: Slot }, object> = {
  library,
  program: ({ x, y, scale }, { z }, _params, machine) => {
    const step = channelRows('addScaled', sizeOf(scale.shape), sizeOf(z.shape), machine);
    return step ? [{ ...step, args: [x, y, scale, z, ...step.args] }] : [];
  },
};

/** A step over rows of channels; its arguments end with rows, rows per chunk and channels. */
export function channelRows(
  fn: string,
  channels: number,
  length: number,
  machine: WasmMachine,
  multiple = 1,
): (WasmStep & { readonly args: readonly number[] }) | null {
  if (length === 0) return null;
  const rows = length / channels;
  const { size, chunks } = splitWork(rows, machine, { multiple, least: Math.ceil(leastElements / channels) });
  return { fn, args: [rows, size, channels], chunks };
}

const names: Readonly<Record<DType, string>> = { f32: 'F32', f16: 'F16', i32: 'I32', u8: 'U8' };

export const castWasm: WasmKernel<{ x: Slot }, { y: Slot }, object> = {
  library,
  program: ({ x }, { y }, _params, machine) => {
    const length = sizeOf(y.shape);
    if (length === 0) return [];
    const { size, chunks } = splitWork(length, machine, { multiple: 64, least: leastElements });
    if (x.dtype !== y.dtype)
      return [{ fn: `cast${names[x.dtype]}To${names[y.dtype]}`, args: [x, y, length, size], chunks }];
    return [contiguousCopy(x, y, machine)];
  },
};
