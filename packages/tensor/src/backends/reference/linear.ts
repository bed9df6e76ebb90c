import type { Bound } from '../../kernel.js';
import type { LinearInputs, LinearParams, MatmulInputs, MatmulParams } from '../../ops/linear.js';
import { broadcastStrides } from '../../shape.js';
import type { ReferenceArray } from './backend.js';
import { applyEpilogue } from './epilogue.js';
import { forEachIndex } from './strided.js';

export function linearReference(
  inputs: Bound<LinearInputs, ReferenceArray>,
  { y }: { readonly y: ReferenceArray },
  { activation }: LinearParams,
): void {
  const { x, weight } = inputs;
  const [o, k] = weight.shape as [number, number];
  for (let i = 0; i < y.data.length; i++) {
    const row = Math.floor(i / o) * k;
    const column = (i % o) * k;
    let total = 0;
    for (let j = 0; j < k; j++) total += x.data[row + j]! * weight.data[column + j]!;
    y.data[i] = total;
  }
  applyEpilogue(inputs, y, activation);
}

export function matmulReference(
  { a, b }: Bound<MatmulInputs, ReferenceArray>,
  { y }: { readonly y: ReferenceArray },
  { transposeA, transposeB }: MatmulParams,
): void {
  const [m, n] = y.shape.slice(-2) as [number, number];
  const k = a.shape.at(transposeA ? -2 : -1)!;
  const [rowA, stepA] = transposeA ? [1, m] : [k, 1];
  const [columnB, stepB] = transposeB ? [k, 1] : [1, n];
  const batch = y.shape.slice(0, -2);
  const strides = [
    broadcastStrides(a.shape.slice(0, -2), batch),
    broadcastStrides(b.shape.slice(0, -2), batch),
  ] as const;
  let at = 0;
  forEachIndex(batch, strides, (matrixA, matrixB) => {
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        const fromA = matrixA * m * k + row * rowA;
        const fromB = matrixB * k * n + column * columnB;
        let total = 0;
        for (let i = 0; i < k; i++) total += a.data[fromA + i * stepA]! * b.data[fromB + i * stepB]!;
        y.data[at++] = total;
      }
    }
  });
}
