import { IIError, ShapeError } from '../errors.js';
import { add } from '../ops/elementwise.js';
import { inFullPrecision } from '../precision.js';
import { keep, scope } from '../scope.js';
import { sameShape, showShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { noGrad, retain, withTape, type Gradient, type OperatorCall, type Tape } from './tape.js';

/** The gradient of one tensor as the backward pass gathers it. */
interface Node {
  gradient: Tensor | null;
}

interface Entry {
  readonly name: string;
  readonly output: Node;
  readonly shape: readonly number[];
  readonly inputs: readonly (Node | null)[];
  readonly inputShapes: readonly (readonly number[] | null)[];
  readonly saved: readonly Tensor[];
  readonly gradient: Gradient;
}

/** A tape that keeps what the backward pass needs. */
class RecordingTape implements Tape {
  readonly #nodes = new WeakMap<Tensor, Node>();
  readonly #sources: readonly Node[];
  #entries: Entry[] = [];
  #ended = false;

  constructor(sources: readonly Tensor[]) {
    this.#sources = sources.map((tensor) => {
      const node = this.#nodes.get(tensor) ?? { gradient: null };
      this.#nodes.set(tensor, node);
      return node;
    });
  }

  tracks(tensor: Tensor): boolean {
    return this.#nodes.has(tensor);
  }

  note(output: Tensor, { name, inputs, saved = [], gradient }: OperatorCall): void {
    const node: Node = { gradient: null };
    this.#nodes.set(output, node);
    this.#entries.push({
      name,
      output: node,
      shape: output.shape,
      inputs: inputs.map((input) => (input && this.#nodes.get(input)) ?? null),
      inputShapes: inputs.map((input) => input?.shape ?? null),
      saved: saved.map(retain),
      gradient,
    });
  }

  /** The gradient of `output` with respect to each source; what it kept is freed on the way. */
  backward(output: Tensor, seed: Tensor): (Tensor | null)[] {
    if (this.#ended) {
      throw new IIError(
        'ERR_BACKWARD',
        'backward: this recording has been used or disposed of; it frees what it kept as it goes, so record() again',
      );
    }
    const node = this.#nodes.get(output);
    try {
      if (node) this.#accumulate(node, retain(seed));
      for (let entry = this.#entries.pop(); entry; entry = this.#entries.pop()) {
        try {
          this.#propagate(entry);
        } finally {
          free(entry);
        }
      }
      return this.#sources.map((source, i) => {
        // A source given twice has one gradient, handed out twice.
        const first = this.#sources.indexOf(source) === i;
        return source.gradient && (first ? source.gradient : retain(source.gradient));
      });
    } catch (error) {
      for (const source of this.#sources) source.gradient?.dispose();
      throw error;
    } finally {
      this.dispose();
    }
  }

  dispose(): void {
    this.#ended = true;
    for (const entry of this.#entries) free(entry);
    this.#entries = [];
  }

  #propagate({ name, output, inputs, inputShapes, saved, gradient }: Entry): void {
    const gy = output.gradient;
    output.gradient = null;
    if (!gy) return;
    const needed = inputs.map((input) => input !== null);
    const gradients = runGradient(gradient, gy, saved, needed);
    gradients.forEach((tensor, i) => {
      if (!tensor) return;
      if (!sameShape(tensor.shape, inputShapes[i]!)) {
        throw new ShapeError(
          `the gradient of '${name}' for input ${i} has shape ${showShape(tensor.shape)}, expected ${showShape(inputShapes[i]!)}`,
        );
      }
      this.#accumulate(inputs[i]!, tensor);
    });
  }

  #accumulate(node: Node, gradient: Tensor): void {
    const before = node.gradient;
    if (!before) {
      node.gradient = gradient;
      return;
    }
    node.gradient = keep(add(before, gradient));
    before.dispose();
    gradient.dispose();
  }
}

/** @param gy is given back, also when the gradient throws. */
function runGradient(
  gradient: Gradient,
  gy: Tensor,
  saved: readonly Tensor[],
  needed: readonly boolean[],
): (Tensor | null)[] {
  try {
    return scope(() => {
      const own = gradient(gy, saved, needed);
      // The same tensor may be the gradient of several inputs, or gy itself.
      return own.map((tensor, i) => (needed[i] && tensor ? retain(tensor) : null));
    });
  } finally {
    gy.dispose();
  }
}

function free({ saved, output }: Entry): void {
  for (const tensor of saved) tensor.dispose();
  output.gradient?.dispose();
}

/** What `record` gives: the value, and the way back. */
export interface Recording<T> {
  readonly value: T;
  /**
   * Gradients of `output` with respect to each source, in their order; null for a source that `output` does not depend
   * on. They belong to the caller. Works once: what was kept for it is freed on the way.
   *
   * @param output a tensor that the body returned; its elements weigh `gradient` (default: it is a scalar, weighing 1).
   * @throws IIError when used twice; ShapeError when `output` is no scalar and no gradient is given, or of another shape.
   */
  backward(output: Tensor, gradient?: Tensor): (Tensor | null)[];
  /** Frees what was kept for a backward pass that is not wanted. Harmless when repeated. */
  dispose(): void;
}

/**
 * Runs `body` and notes what it does with `sources`, so that gradients with respect to them can be computed
 * (reverse-mode differentiation). Intermediate tensors that gradients need outlive their scopes until then.
 *
 * ```ts
 * const { value: loss, backward } = record(() => crossEntropy(model.forward(x), labels), weights);
 * const gradients = backward(loss);
 * ```
 *
 * @param body synchronous; tensors made in it and not returned are freed.
 * @param sources tensors to differentiate with respect to; they must live until the backward pass.
 */
export function record<T>(body: () => T, sources: readonly Tensor[]): Recording<T> {
  const tape = new RecordingTape(sources);
  try {
    const value = inFullPrecision(() => scope(() => withTape(tape, body)));
    return {
      value,
      backward: (output, gradient) => inFullPrecision(() => noGrad(() => backwardFrom(tape, output, gradient))),
      dispose: () => tape.dispose(),
    };
  } catch (error) {
    tape.dispose();
    throw error;
  }
}

function backwardFrom(tape: RecordingTape, output: Tensor, gradient: Tensor | undefined): (Tensor | null)[] {
  if (!gradient) {
    if (output.size !== 1) {
      throw new ShapeError(
        `backward: the output has shape ${showShape(output.shape)}; give the gradient of its elements, or reduce it to a scalar`,
      );
    }
    using one = keep(output.device.tensor([1], output.shape));
    return tape.backward(output, one);
  }
  if (!sameShape(gradient.shape, output.shape)) {
    throw new ShapeError(
      `backward: the gradient has shape ${showShape(gradient.shape)}, the output ${showShape(output.shape)}`,
    );
  }
  return tape.backward(output, gradient);
}

/**
 * A scalar and its gradients with respect to `sources`, null where it does not depend on one; all belong to the caller.
 */
export function valueAndGradients(
  body: () => Tensor,
  sources: readonly Tensor[],
): { value: Tensor; gradients: (Tensor | null)[] } {
  const { value, backward } = record(body, sources);
  return { value, gradients: backward(value) };
}
