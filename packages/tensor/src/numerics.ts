import { noGrad } from './autograd/tape.js';
import { NumericsError } from './errors.js';
import { binary } from './ops/binary.js';
import { concat, reshape } from './ops/layout.js';
import { sum } from './ops/reduce.js';
import { keep, scope } from './scope.js';
import { showShape } from './shape.js';
import type { Tensor } from './tensor.js';

/** A value that is 0 where a tensor was finite and NaN where it was not, and what to say then. */
interface Finding {
  readonly value: Tensor;
  readonly where: string;
}

/** Notes whether what kernels read and write is finite; the answer is read at the end. */
export class NumericsCheck {
  readonly #findings: Finding[] = [];
  readonly #seen = new WeakSet<object>();
  #calls = 0;
  #looking = false;

  /** Around a kernel: its inputs before it runs, as far as no kernel has written them, and its outputs after. */
  around(kernel: string, inputs: Tensors, outputs: Tensors, run: () => void): void {
    if (this.#looking) {
      run();
      return;
    }
    const call = this.#calls++;
    const look = (kind: string, tensors: Tensors, again: boolean): void => {
      for (const [name, tensor] of Object.entries(tensors)) {
        if (!tensor || tensor.dtype !== 'f32' || tensor.size === 0) continue;
        if (!again && this.#seen.has(tensor.storage)) continue;
        this.#seen.add(tensor.storage);
        const where = `${kind} '${name}' ${showShape(tensor.shape)} of kernel '${kernel}' (call ${call + 1})`;
        this.#findings.push({ value: this.#zeroOrNaN(tensor), where });
      }
    };
    look('input', inputs, false);
    run();
    look('output', outputs, true);
  }

  /** @throws NumericsError for the first tensor that was not finite. */
  async verify(): Promise<void> {
    if (this.#findings.length === 0) return;
    this.#looking = true;
    using all = keep(noGrad(() => concat(this.#findings.map(({ value }) => value))));
    const values = await all.readFloat64();
    const first = values.findIndex(Number.isNaN);
    if (first >= 0) throw new NumericsError(this.#findings[first]!.where);
  }

  dispose(): void {
    for (const { value } of this.#findings) value.dispose();
  }

  #zeroOrNaN(tensor: Tensor): Tensor {
    this.#looking = true;
    try {
      // 0 · x is 0 for every finite x.
      return keep(noGrad(() => scope(() => reshape(sum(binary('mul', tensor, 0)), [1]))));
    } finally {
      this.#looking = false;
    }
  }
}

interface Tensors {
  readonly [name: string]: Tensor | undefined;
}
