import type { Activation, EpilogueSlots } from '../../../ops/epilogue.js';
import type { Bound } from '../../../kernel.js';
import type { WasmArgument, WasmOperand } from '../program.js';

/** Codes of the activations in assembly/gemm-epilogue.ts. */
const activationCodes = { none: 0, relu: 1, gelu: 2, silu: 3, sigmoid: 4 } as const satisfies Record<
  Activation,
  number
>;

/** The argument words of an epilogue. */
export function epilogueArguments(
  { scale, bias, layerScale, residual }: Bound<EpilogueSlots, WasmOperand>,
  activation: Activation,
): readonly WasmArgument[] {
  return [scale ?? 0, bias ?? 0, layerScale ?? 0, residual ?? 0, activationCodes[activation]];
}
