import type { Tensor } from './tensor.js';

const stack: Set<Tensor>[] = [];

/** Called when a tensor is made: the innermost running scope owns it. */
export function adopt(tensor: Tensor): void {
  stack.at(-1)?.add(tensor);
}

/** Called when a tensor is disposed of. */
export function forget(tensor: Tensor): void {
  for (const owned of stack) owned.delete(tensor);
}

/** Takes a tensor out of the scopes that run now: whoever keeps it disposes of it. For caches and parameters. */
export function keep(tensor: Tensor): Tensor {
  forget(tensor);
  return tensor;
}

/**
 * Runs `body` and disposes of every tensor made in it that it does not return, also when it throws. Tensors inside
 * returned arrays and plain objects survive; they belong to the surrounding scope, if there is one. Scopes nest.
 *
 * `body` must be synchronous, as all operators are: read results after the scope.
 *
 * @throws TypeError when `body` returns a promise.
 */
export function scope<T>(body: () => T): T {
  const owned = new Set<Tensor>();
  stack.push(owned);
  let kept: Set<unknown> | undefined;
  try {
    const result = body();
    if (result instanceof Promise) {
      throw new TypeError(
        'scope: the body returned a promise; enqueue the work in the scope and await the result after it',
      );
    }
    kept = new Set();
    collect(result, kept);
    return result;
  } finally {
    stack.pop();
    for (const tensor of owned) {
      if (kept?.has(tensor)) adopt(tensor);
      else tensor.dispose();
    }
  }
}

/** Adds `value` and all that it holds; what has been seen before is not entered again. */
function collect(value: unknown, into: Set<unknown>): void {
  if (typeof value !== 'object' || value === null || into.has(value)) return;
  into.add(value);
  if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) {
    for (const item of Object.values(value)) collect(item, into);
  }
}
