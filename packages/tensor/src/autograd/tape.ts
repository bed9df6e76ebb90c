import { keep } from '../scope.js';
import { Tensor } from '../tensor.js';

/**
 * Gradients of an operator's inputs, given that of its output; null where there is none. It composes operators or enqueues
 * kernels; tensors that it makes and does not return are freed after it.
 *
 * @param gy gradient of the output, of its shape.
 * @param saved the tensors that were saved, in their order.
 * @param needed for each input whether anybody wants its gradient; others may be left null.
 */
export type Gradient = (
  gy: Tensor,
  saved: readonly Tensor[],
  needed: readonly boolean[],
) => readonly (Tensor | null | undefined)[];

/** A call of an operator, as the backward pass sees it. */
export interface OperatorCall {
  /** Names the operator in errors. */
  readonly name: string;
  /** The tensors that the output depends on; absent ones keep their place. */
  readonly inputs: readonly (Tensor | undefined)[];
  /** Tensors that the gradient needs; they live until it has run. */
  readonly saved?: readonly Tensor[];
  readonly gradient: Gradient;
}

/** What operators tell of themselves while somebody records. */
export interface Tape {
  /** Whether gradients flow through this tensor. */
  tracks(tensor: Tensor): boolean;
  note(output: Tensor, call: OperatorCall): void;
}

let current: Tape | null = null;

/** The tape that records now. */
export const currentTape = (): Tape | null => current;

/** Runs `body` with another tape, or with none. */
export function withTape<T>(tape: Tape | null, body: () => T): T {
  const before = current;
  current = tape;
  try {
    return body();
  } finally {
    current = before;
  }
}

/** Runs `body` without recording: nothing in it gets a gradient, and nothing is kept for one. */
export const noGrad = <T>(body: () => T): T => withTape(null, body);

/** Whether an operator on these tensors will be part of a backward pass. */
export function isTracked(...tensors: readonly (Tensor | undefined)[]): boolean {
  const tape = current;
  return tape !== null && tensors.some((tensor) => tensor !== undefined && tape.tracks(tensor));
}

/**
 * Gives an operator's result its gradient: every differentiable operator ends with this, also those of other packages.
 * Outside of `record` it costs nothing.
 *
 * ```ts
 * return differentiable(y, { name: 'square', inputs: [x], saved: [x], gradient: (gy, [x]) => [mul(mul(x!, gy), 2)] });
 * ```
 *
 * @returns `output`.
 */
export function differentiable(output: Tensor, call: OperatorCall): Tensor {
  if (isTracked(...call.inputs)) current!.note(output, call);
  return output;
}

/** A second handle on a tensor's memory, which outlives scopes. */
export function retain(tensor: Tensor): Tensor {
  return keep(new Tensor(tensor.storage.retain(), tensor.shape, tensor.dtype));
}
