import type { Bound } from '../../../kernel.js';
import type { UnaryFunction } from '../../../ops/elementwise.js';
import type { UnaryGradientInputs, UnaryGradientParams } from '../../../ops/gradients/elementwise.js';
import type { ReferenceArray } from '../backend.js';
import { erfc, sigmoid } from '../special-functions.js';

const derivatives: Readonly<Record<UnaryFunction, (x: number) => number>> = {
  relu: (x) => (x > 0 ? 1 : 0),
  gelu: (x) => erfc(-x / Math.SQRT2) / 2 + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI),
  silu: (x) => sigmoid(x) * (1 + x * sigmoid(-x)),
  sigmoid: (x) => sigmoid(x) * sigmoid(-x),
  exp: Math.exp,
  log: (x) => 1 / x,
  sqrt: (x) => 0.5 / Math.sqrt(x),
  abs: Math.sign,
  neg: () => -1,
};

export function unaryGradientReference(
  { x, gy }: Bound<UnaryGradientInputs, ReferenceArray>,
  { gx }: { readonly gx: ReferenceArray },
  { fn }: UnaryGradientParams,
): void {
  const derivative = derivatives[fn];
  for (let i = 0; i < gx.data.length; i++) gx.data[i] = gy.data[i]! * derivative(x.data[i]!);
}
