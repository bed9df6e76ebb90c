import type { BackendRecording } from './backends/backend.js';
import { ShapeError } from './errors.js';
import { copyInto } from './ops/layout.js';
import { sameShape, showShape } from './shape.js';
import type { Tensor } from './tensor.js';

/**
 * A computation recorded once by `device.capture` and run any number of times: no allocation, no shape logic, hardly any
 * JavaScript. Its memory is planned from the lifetimes of its tensors and stays until {@link Capture.dispose}.
 */
export class Capture {
  readonly #inputs: readonly Tensor[];
  readonly #body: (...inputs: Tensor[]) => readonly Tensor[];
  readonly #recording: BackendRecording | null;
  #outputs: readonly Tensor[];

  /** Made by `device.capture`. @param recording null where the device does not record: the body then runs each time. */
  constructor(
    inputs: readonly Tensor[],
    body: (...inputs: Tensor[]) => readonly Tensor[],
    outputs: readonly Tensor[],
    recording: BackendRecording | null,
  ) {
    this.#inputs = inputs;
    this.#body = body;
    this.#outputs = outputs;
    this.#recording = recording;
  }

  /**
   * Runs the computation on new inputs, of the shapes and dtypes that it was captured with.
   *
   * @returns the results; they belong to the capture and hold until the next run.
   * @throws ShapeError for other shapes; IIError when a tensor that the computation reads was written to or disposed of.
   */
  run(...inputs: Tensor[]): readonly Tensor[] {
    this.#inputs.forEach((own, i) => {
      const given = inputs[i];
      if (!given || !sameShape(given.shape, own.shape) || given.dtype !== own.dtype) {
        const got = given ? `${given.dtype} ${showShape(given.shape)}` : 'nothing';
        throw new ShapeError(`capture: input ${i} was captured as ${own.dtype} ${showShape(own.shape)}, got ${got}`);
      }
    });
    this.#inputs.forEach((own, i) => copyInto(own, inputs[i]!));
    if (this.#recording) this.#recording.replay();
    else {
      for (const output of this.#outputs) output.dispose();
      this.#outputs = this.#body(...this.#inputs);
    }
    return this.#outputs;
  }

  /** Gives the memory back, that of the results too. Harmless when repeated. */
  dispose(): void {
    for (const tensor of [...this.#inputs, ...this.#outputs]) tensor.dispose();
    this.#recording?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
