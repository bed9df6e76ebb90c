import type { Tensor } from '../tensor.js';

/** Runs a kernel and gives its result. */
export type Compute = () => Tensor;

/** What the innermost checkpoint whose body runs now does with the results that it keeps. */
let innermost: ((compute: Compute) => Tensor) | null = null;

/** Runs `body`, with `treat` in charge of what it keeps. */
export function withResults<T>(treat: (compute: Compute) => Tensor, body: () => T): T {
  const before = innermost;
  innermost = treat;
  try {
    return body();
  } finally {
    innermost = before;
  }
}

/**
 * For results that take long to compute and little memory: a checkpoint keeps them from its first run, so that the second
 * one need not compute them. Outside of checkpoints this is `compute()`.
 *
 * @param compute must leave the recording to its caller, which makes the result {@link differentiable} in both runs.
 */
export const keptInCheckpoint = (compute: Compute): Tensor => (innermost ? innermost(compute) : compute());
