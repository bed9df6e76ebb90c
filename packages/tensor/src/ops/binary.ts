import { binaryReference } from '../backends/reference/elementwise.js';
import { binaryWasm } from '../backends/wasm/kernels/elementwise.js';
import { binaryWebGpu } from '../backends/webgpu/kernels/elementwise.js';
import { defineKernel, type Slot } from '../kernel.js';
import { broadcastShapes } from '../shape.js';
import { Tensor } from '../tensor.js';
import { checkDType } from './check.js';

export type BinaryFunction = 'add' | 'sub' | 'mul' | 'div' | 'maximum' | 'minimum' | 'greater' | 'equal';

/** Slots: a and b broadcast to y; f32. */
export interface BinaryInputs {
  readonly a: Slot;
  readonly b: Slot;
}

const binaryKernel = defineKernel<BinaryInputs, { y: Slot }, { readonly fn: BinaryFunction }>('binary', {
  reference: binaryReference,
  wasm: binaryWasm,
  webgpu: binaryWebGpu,
});

/** Runs the kernel alone, for the operators that end with it and for gradients. */
export function binary(fn: BinaryFunction, a: Tensor, b: Tensor | number): Tensor {
  if (!(b instanceof Tensor)) {
    const scalar = a.device.tensor([b], []);
    const y = binary(fn, a, scalar);
    scalar.dispose();
    return y;
  }
  checkDType(`${fn} a`, a);
  checkDType(`${fn} b`, b);
  const y = a.device.empty(broadcastShapes(a.shape, b.shape, fn));
  a.device.enqueue(binaryKernel, { inputs: { a, b }, outputs: { y }, params: { fn } });
  return y;
}
