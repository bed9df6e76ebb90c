import type { LinearInputs, LinearParams, MatmulInputs, MatmulParams } from '../../../ops/linear.js';
import type { Slot } from '../../../kernel.js';
import { broadcastStrides, sizeOf, type Shape } from '../../../shape.js';
import { library } from '../library.generated.js';
import { scratch, type WasmKernel } from '../program.js';
import { epilogueArguments } from './epilogue.js';
import { product, termRanges, type BatchAxis, type Product } from './gemm.js';
import { packColumns, packedBytes, packedWeight, packRows, panelColumns } from './packing.js';

export const linearWasm: WasmKernel<LinearInputs, { y: Slot }, LinearParams> = {
  library,
  program(inputs, { y }, { activation }, machine) {
    const { x, weight } = inputs;
    const [n, k] = weight.shape as [number, number];
    const m = sizeOf(x.shape.slice(0, -1));
    const layout = { matrices: 1, n, channels: k, taps: 1, zeros: panelColumns };
    const packed = packedWeight(weight, layout, machine);
    const epilogue = epilogueArguments(inputs, activation);
    return product({ fn: 'gemm', a: x, packed, layout, c: y, m, lda: k, ldc: n, epilogue }, machine);
  },
};

export const matmulWasm: WasmKernel<MatmulInputs, { y: Slot }, MatmulParams> = {
  library,
  program({ a, b }, { y }, { transposeA, transposeB }, machine) {
    const [m, n] = y.shape.slice(-2) as [number, number];
    const k = a.shape.at(transposeA ? -2 : -1)!;
    if (sizeOf(y.shape) === 0) return [];
    const layout = { matrices: sizeOf(b.shape.slice(0, -2)), n, channels: k, taps: 1, zeros: panelColumns };
    const packed = scratch(packedBytes(layout));
    const whole: Product = {
      fn: transposeA ? 'gemmTransposed' : 'gemm',
      a,
      packed,
      layout,
      c: y,
      m,
      lda: transposeA ? m : k,
      ldc: n,
      epilogue: epilogueArguments({}, 'none'),
      batch: batchOf(a.shape, b.shape, y.shape, m * k),
      matrixStride: m * n,
    };
    if (transposeB) return [...(k > 0 ? [packRows(b, packed, layout, machine)] : []), ...product(whole, machine)];
    if (k === 0 || sizeOf(y.shape) !== m * n) {
      return [...(k > 0 ? [packColumns(b, packed, layout, machine)] : []), ...product(whole, machine)];
    }
    return termRanges(m, n, k, machine).flatMap((terms) => [
      packColumns(b, packed, layout, machine, terms),
      ...product({ ...whole, terms }, machine),
    ]);
  },
};

/** The axes of a batch, innermost first; axes that both operands walk evenly become one. */
function batchOf(a: Shape, b: Shape, y: Shape, matrixA: number): BatchAxis[] {
  const shape = y.slice(0, -2);
  const stridesA = broadcastStrides(a.slice(0, -2), shape);
  const stridesB = broadcastStrides(b.slice(0, -2), shape);
  const axes: BatchAxis[] = [];
  for (let i = shape.length - 1; i >= 0; i--) {
    const axis = { size: shape[i]!, a: stridesA[i]! * matrixA, b: stridesB[i]! };
    const inner = axes.at(-1);
    if (axis.size === 1) continue;
    if (inner && axis.a === inner.a * inner.size && axis.b === inner.b * inner.size) {
      axes[axes.length - 1] = { ...inner, size: inner.size * axis.size };
    } else {
      axes.push(axis);
    }
  }
  return axes;
}
