import type { Bound } from '../kernel.js';
import type { Operand } from './backend.js';

/** A kernel's operands as its backend sees each; those that are absent stay so. */
export function mapOperands<S, T>(operands: Bound<S, Operand>, see: (operand: Operand) => T): Bound<S, T> {
  const seen: Partial<Record<keyof S, T>> = {};
  for (const key in operands) {
    const operand = operands[key];
    if (operand) seen[key] = see(operand);
  }
  return seen as Bound<S, T>;
}
