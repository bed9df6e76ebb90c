import { measureWasmPeak, type TraceEntry } from '@ii/tensor';
import { showTrace, traceRows, type TraceRow } from './trace-table.js';

export interface BenchTrace {
  /** Of the whole device; null where it is not known. */
  readonly peakGflops: number | null;
  readonly kernels: readonly TraceRow[];
}

/** @param threads of the CPU device, whose peak is measured; null for others. */
export async function traceTask(entries: Promise<readonly TraceEntry[]>, threads: number | null): Promise<BenchTrace> {
  const found = await entries;
  const peakGflops = threads === null ? null : measureWasmPeak().gflops * Math.max(threads, 1);
  return { peakGflops, kernels: traceRows(found, peakGflops) };
}

export function showTraceOfRun({ peakGflops, kernels }: BenchTrace): string[] {
  const peak = peakGflops === null ? '' : `; the device's peak is ${peakGflops.toFixed(1)} GFLOPS`;
  return [`kernels of one run${peak}`, ...showTrace(kernels)];
}
