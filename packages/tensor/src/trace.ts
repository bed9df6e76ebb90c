import type { StepTime } from './backends/backend.js';
import { bytesPerElement } from './dtype.js';
import type { Bound, Kernel, KernelParams, Signature, TensorSpec } from './kernel.js';
import { sizeOf } from './shape.js';

/** One kernel of a trace. */
export interface TraceEntry {
  readonly kernel: string;
  /** Shape of the first output. */
  readonly shape: readonly number[];
  readonly milliseconds: number;
  /** Floating-point operations of the plain algorithm (a multiply-add is 2); 0 where the kernel does not count them. */
  readonly flops: number;
  /** Elements read and written once each, in bytes: the least traffic there can be. */
  readonly bytes: number;
  /** What the device ran for it, which tells the algorithm that was chosen. */
  readonly steps: readonly StepTime[];
}

/** All entries of one kernel together. */
export interface TraceSummary {
  readonly kernel: string;
  readonly calls: number;
  readonly milliseconds: number;
  readonly flops: number;
  readonly bytes: number;
}

/** Sums a trace by kernel, the longest first. */
export function summarizeTrace(entries: readonly TraceEntry[]): TraceSummary[] {
  const sums = new Map<string, TraceSummary>();
  for (const { kernel, milliseconds, flops, bytes } of entries) {
    const sum = sums.get(kernel) ?? { kernel, calls: 0, milliseconds: 0, flops: 0, bytes: 0 };
    sums.set(kernel, {
      kernel,
      calls: sum.calls + 1,
      milliseconds: sum.milliseconds + milliseconds,
      flops: sum.flops + flops,
      bytes: sum.bytes + bytes,
    });
  }
  return [...sums.values()].sort((a, b) => b.milliseconds - a.milliseconds);
}

/** An entry whose steps are still being timed. */
export interface UntimedEntry extends Omit<TraceEntry, 'milliseconds' | 'steps'> {
  readonly steps: StepTime[];
}

/** The entry of a kernel that is about to run. */
export function traceEntry<I extends Signature<I>, O extends Signature<O>, P extends KernelParams>(
  kernel: Kernel<I, O, P>,
  call: { readonly inputs: Bound<I, TensorSpec>; readonly outputs: Bound<O, TensorSpec>; readonly params: P },
): UntimedEntry {
  const outputs = Object.values<TensorSpec>(call.outputs);
  const inputs = Object.values<TensorSpec | undefined>(call.inputs);
  let bytes = 0;
  for (const spec of [...inputs, ...outputs]) if (spec) bytes += sizeOf(spec.shape) * bytesPerElement(spec.dtype);
  const flops = kernel.flops?.(call.inputs, call.outputs, call.params) ?? 0;
  return { kernel: kernel.name, shape: outputs[0]?.shape ?? [], flops, bytes, steps: [] };
}
