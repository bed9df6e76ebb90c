import { IIError } from '../errors.js';
import { adopt, scope } from '../scope.js';
import { Tensor } from '../tensor.js';
import { withResults, type Compute } from './kept-results.js';
import { record } from './record.js';
import { currentTape, differentiable, retain, withTape, type OperatorCall, type Tape } from './tape.js';

/** Notes which tensors of an outer tape a computation reads, and keeps nothing else. */
class ProbingTape implements Tape {
  readonly #made = new WeakSet<Tensor>();
  readonly used = new Set<Tensor>();

  constructor(readonly outer: Tape) {}

  tracks(tensor: Tensor): boolean {
    return this.#made.has(tensor) || this.outer.tracks(tensor);
  }

  note(output: Tensor, { inputs }: OperatorCall): void {
    this.#made.add(output);
    for (const input of inputs) {
      if (input && !this.#made.has(input) && this.outer.tracks(input)) this.used.add(input);
    }
  }
}

/**
 * Runs `body` and keeps only its inputs for the backward pass, which runs it again (PyTorch's `checkpoint`, the
 * `with_cp` of mmsegmentation): less memory for most of one more forward pass. What operators were told to keep
 * ({@link keptInCheckpoint}) is kept, too, and not computed again. The gradients are the same to the bit.
 *
 * @param body must compute the same each time, so random masks are inputs. Parameters may be used without being passed;
 * every other tensor must be an input.
 * @returns the body's result.
 */
export function checkpoint(body: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): Tensor {
  const outer = currentTape();
  if (!outer) return body(...inputs);
  const probe = new ProbingTape(outer);
  const kept: Tensor[] = [];
  const note = (compute: Compute): Tensor => {
    const result = compute();
    kept.push(retain(result));
    return result;
  };
  try {
    const output = scope(() => withTape(probe, () => withResults(note, () => body(...inputs))));
    const others = [...probe.used].filter((tensor) => !inputs.includes(tensor));
    return differentiable(output, {
      name: 'checkpoint',
      inputs: [...inputs, ...others],
      saved: [...inputs, ...kept],
      gradient: (gy, saved, needed) => {
        const again = saved.slice(0, inputs.length);
        const sources = [...again, ...others];
        const wanted = sources.filter((_, i) => needed[i]);
        const recall = recalling(saved.slice(inputs.length));
        const { value, backward } = record(() => withResults(recall, () => body(...again)), wanted);
        const gradients = backward(value, gy);
        value.dispose();
        // Whoever asked for them keeps what it needs.
        for (const tensor of gradients) if (tensor) adopt(tensor);
        return sources.map((_, i) => (needed[i] ? gradients.shift() : null));
      },
    });
  } finally {
    // The tape holds them by handles of its own.
    for (const tensor of kept) tensor.dispose();
  }
}

/** Gives what was kept, in its order, instead of computing it. */
function recalling(kept: readonly Tensor[]): (compute: Compute) => Tensor {
  let next = 0;
  return () => {
    const tensor = kept[next++];
    if (!tensor) {
      throw new IIError(
        'ERR_CHECKPOINT',
        `checkpoint: the body keeps more results in the backward pass than the ${kept.length} of its first run; it must compute the same each time`,
      );
    }
    return new Tensor(tensor.storage.retain(), tensor.shape, tensor.dtype);
  };
}
