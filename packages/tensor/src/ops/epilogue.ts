/**
 * What a matrix product may do to each element before it is stored, so that no extra pass over memory is needed:
 *
 *     y = residual + layerScale · activation(scale · product + bias)
 *
 * `scale` and `bias` with an activation are a folded batch norm; `layerScale` with `residual` is the end of an
 * InternImage branch.
 */
import type { Slot } from '../kernel.js';
import { sizeOf, type Shape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkDType, checkShapeIs } from './check.js';

export type Activation = 'none' | 'relu' | 'gelu' | 'silu' | 'sigmoid';

export interface EpilogueOptions {
  /** `[O]`, multiplies the product. Default: 1. */
  readonly scale?: Tensor | undefined;
  /** `[O]`, added after `scale`. Default: 0. */
  readonly bias?: Tensor | undefined;
  /** Default: `none`. `gelu` is the erf form. */
  readonly activation?: Activation | undefined;
  /** `[O]`, multiplies the activation's result. Default: 1. */
  readonly layerScale?: Tensor | undefined;
  /** Shape of the result, added last. Default: 0. */
  readonly residual?: Tensor | undefined;
}

/** The tensors of an epilogue in a kernel's signature. */
export interface EpilogueSlots {
  readonly scale?: Slot;
  readonly bias?: Slot;
  readonly layerScale?: Slot;
  readonly residual?: Slot;
}

/** Checks an epilogue's tensors against the result's shape and gives those that are present. */
export function epilogueInputs(
  what: string,
  options: EpilogueOptions,
  shape: Shape,
): { [K in keyof EpilogueSlots]: Tensor } {
  const inputs: { -readonly [K in keyof EpilogueSlots]: Tensor } = {};
  const channels = shape.at(-1) ?? sizeOf(shape);
  for (const key of ['scale', 'bias', 'layerScale', 'residual'] as const) {
    const tensor = options[key];
    if (!tensor) continue;
    checkDType(`${what} ${key}`, tensor);
    checkShapeIs(`${what} ${key}`, tensor, key === 'residual' ? shape : [channels]);
    inputs[key] = tensor;
  }
  return inputs;
}
