let depth = 0;

/**
 * Runs `body` with every result stored in f32, whatever a device stores activations as: `record` and its backward pass do,
 * and so does what else computes gradients and weights.
 *
 * @param body synchronous.
 */
export function inFullPrecision<T>(body: () => T): T {
  depth++;
  try {
    return body();
  } finally {
    depth--;
  }
}

/** Whether {@link inFullPrecision} is running. */
export const needsFullPrecision = (): boolean => depth > 0;
