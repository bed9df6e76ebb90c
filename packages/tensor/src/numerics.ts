import { noGrad, retain } from './autograd/tape.js';
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

/**
 * Notes whether what kernels read and write is finite; the answer is read at the end. A result is looked at when a kernel
 * reads it, or at the end: before, it may be filled in part only, as by the copies that make a concatenation.
 */
export class NumericsCheck {
  readonly #findings: Finding[] = [];
  readonly #seen = new WeakSet<object>();
  /** Results that nothing has read yet, kept until then, and who made them. */
  readonly #unread = new Map<object, { readonly tensor: Tensor; readonly where: string }>();
  #calls = 0;
  #looking = false;

  /** Around a kernel. */
  around(kernel: string, inputs: Tensors, outputs: Tensors, run: () => void): void {
    if (this.#looking) {
      run();
      return;
    }
    const call = ++this.#calls;
    const describe = (kind: string, name: string, { shape }: Tensor): string =>
      `${kind} '${name}' ${showShape(shape)} of kernel '${kernel}' (call ${call})`;
    for (const [name, tensor] of floats(inputs)) {
      const made = this.#unread.get(tensor.storage);
      if (made) this.#lookAtResult(tensor.storage, made);
      else if (!this.#seen.has(tensor.storage)) this.#look(tensor, describe('input', name, tensor));
      this.#seen.add(tensor.storage);
    }
    run();
    for (const [name, tensor] of floats(outputs)) {
      this.#unread.get(tensor.storage)?.tensor.dispose();
      this.#unread.set(tensor.storage, { tensor: keep(retain(tensor)), where: describe('output', name, tensor) });
    }
  }

  /** @throws NumericsError for the first tensor that was not finite. */
  async verify(): Promise<void> {
    for (const [storage, result] of this.#unread) this.#lookAtResult(storage, result);
    if (this.#findings.length === 0) return;
    this.#looking = true;
    using all = keep(noGrad(() => concat(this.#findings.map(({ value }) => value))));
    const values = await all.readFloat64();
    const first = values.findIndex(Number.isNaN);
    if (first >= 0) throw new NumericsError(this.#findings[first]!.where);
  }

  dispose(): void {
    for (const { value } of this.#findings) value.dispose();
    for (const { tensor } of this.#unread.values()) tensor.dispose();
    this.#unread.clear();
  }

  #lookAtResult(storage: object, { tensor, where }: { readonly tensor: Tensor; readonly where: string }): void {
    this.#look(tensor, where);
    tensor.dispose();
    this.#unread.delete(storage);
  }

  #look(tensor: Tensor, where: string): void {
    this.#findings.push({ value: this.#zeroOrNaN(tensor), where });
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

const floats = (tensors: Tensors): [string, Tensor][] =>
  Object.entries(tensors).flatMap(([name, tensor]): [string, Tensor][] =>
    tensor?.dtype === 'f32' && tensor.size > 0 ? [[name, tensor]] : [],
  );
