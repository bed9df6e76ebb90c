import { ShapeError } from '../../../errors.js';
import type { Bound, Slot } from '../../../kernel.js';
import type { LinearInputs, LinearParams, MatmulInputs, MatmulParams } from '../../../ops/linear.js';
import { broadcastStrides, showShape, sizeOf, type Shape } from '../../../shape.js';
import { takingHalves, type WebGpuKernel, type WebGpuMachine, type WebGpuOperand } from '../program.js';
import { epilogueBindings, epilogueShape, noEpilogue } from './epilogue.wgsl.js';
import { product, type Product } from './gemm.js';
import { packedWeight } from './packing.js';

/** `x · weightᵀ` as a product of one matrix. */
export function linearProduct(
  inputs: Bound<LinearInputs, WebGpuOperand>,
  { y }: { readonly y: WebGpuOperand },
  { activation }: LinearParams,
  machine: WebGpuMachine,
): Product {
  const { x, weight } = inputs;
  const [n, k] = weight.shape as [number, number];
  const half = machine.weightStorage === 'f16';
  return {
    ...{ matrices: 1, m: sizeOf(x.shape.slice(0, -1)), n, k },
    left: { kind: 'matrix', transposed: false, vectors: k % 4 === 0, axes: 0 },
    leftFrom: x,
    right: { kind: 'packed', half },
    rightFrom: packedWeight(weight, { matrices: 1, columns: n, channels: k, taps: 1, half }, machine),
    uniforms: {},
    ...{ to: y, rowStride: n, matrixStride: 0 },
    epilogue: epilogueShape(inputs, activation, machine),
    epilogueBindings: epilogueBindings(inputs),
  };
}

export const linearWebGpu: WebGpuKernel<LinearInputs, { y: Slot }, LinearParams> = takingHalves(
  ['x', 'residual', 'y'],
  (inputs, outputs, params, machine) => product(linearProduct(inputs, outputs, params, machine), machine),
);

/** A product of each matrix of a batch; the operands are read where they lie. */
export function matmulProduct(
  { a, b }: Bound<MatmulInputs, WebGpuOperand>,
  { y }: { readonly y: WebGpuOperand },
  { transposeA, transposeB }: MatmulParams,
): Product {
  const [m, n] = y.shape.slice(-2) as [number, number];
  const k = a.shape.at(transposeA ? -2 : -1)!;
  const axes = batchOf(a.shape, b.shape, y.shape);
  return {
    ...{ matrices: sizeOf(y.shape.slice(0, -2)), m, n, k },
    left: { kind: 'matrix', transposed: transposeA, vectors: (transposeA ? m : k) % 4 === 0, axes: axes.length },
    leftFrom: a,
    right: { kind: 'matrix', transposed: transposeB, vectors: !transposeB && n % 4 === 0, axes: axes.length },
    rightFrom: b,
    uniforms: Object.fromEntries(
      axes.flatMap((axis, i) => [
        [`size${i}`, axis.size],
        [`left${i}`, axis.left],
        [`right${i}`, axis.right],
      ]),
    ),
    ...{ to: y, rowStride: n, matrixStride: m * n },
    epilogue: noEpilogue,
    epilogueBindings: [],
  };
}

export const matmulWebGpu: WebGpuKernel<MatmulInputs, { y: Slot }, MatmulParams> = takingHalves(
  ['a', 'b', 'y'],
  (inputs, outputs, params, machine) => product(matmulProduct(inputs, outputs, params), machine),
);

/** An axis along which matrices lie, and its strides in elements. */
interface BatchAxis {
  readonly size: number;
  readonly left: number;
  readonly right: number;
}

/** Each has three words among a step's uniforms. */
const mostAxes = 16;

/** The axes of a batch, innermost first; axes that both operands walk evenly become one. */
function batchOf(a: Shape, b: Shape, y: Shape): BatchAxis[] {
  const shape = y.slice(0, -2);
  const stridesOf = (operand: Shape): number[] =>
    broadcastStrides(operand.slice(0, -2), shape).map((stride) => stride * sizeOf(operand.slice(-2)));
  const [left, right] = [stridesOf(a), stridesOf(b)];
  const axes: BatchAxis[] = [];
  for (let i = shape.length - 1; i >= 0; i--) {
    const axis = { size: shape[i]!, left: left[i]!, right: right[i]! };
    const inner = axes.at(-1);
    if (axis.size === 1) continue;
    if (inner && axis.left === inner.left * inner.size && axis.right === inner.right * inner.size) {
      axes[axes.length - 1] = { ...inner, size: inner.size * axis.size };
    } else {
      axes.push(axis);
    }
  }
  if (axes.length > mostAxes) {
    throw new ShapeError(
      `matmul: ${showShape(a)} and ${showShape(b)} broadcast along ${axes.length} separate axes; webgpu has at most ${mostAxes}: use reshape() first`,
    );
  }
  return axes;
}
