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
import { isTracked } from '../autograd/tape.js';
import { checkDType, checkShapeIs } from './check.js';
import { add, addScaled, gelu, mul, relu, sigmoid, silu } from './elementwise.js';

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

/**
 * Whether gradients flow through a product whose epilogue does more than add a bias: such a product is computed step by
 * step, since the gradient needs the values between.
 */
export function tracksEpilogue(options: EpilogueOptions, ...operands: readonly Tensor[]): boolean {
  const { scale, bias, activation = 'none', layerScale, residual } = options;
  if (!scale && activation === 'none' && !layerScale && !residual) return false;
  return isTracked(...operands, scale, bias, layerScale, residual);
}

const activations = { none: (x: Tensor) => x, relu, gelu, silu, sigmoid };

/** The epilogue as operators of their own. @param product without a bias where there is a scale, else with it. */
export function applyEpilogue(product: Tensor, options: EpilogueOptions): Tensor {
  const { scale, bias, activation = 'none', layerScale, residual } = options;
  const scaled = scale ? mul(product, scale) : product;
  const activated = activations[activation](scale && bias ? add(scaled, bias) : scaled);
  if (layerScale && residual) return addScaled(residual, activated, layerScale);
  if (layerScale) return mul(activated, layerScale);
  return residual ? add(activated, residual) : activated;
}

/** The part of an epilogue that stays with the product when the rest is applied by {@link applyEpilogue}. */
export const biasOnly = ({ scale, bias }: EpilogueOptions): EpilogueOptions => (scale ? {} : { bias });
