import type { TraceEntry } from '@ii/tensor';
import { alignColumns, grouped } from './table.js';

/** What a device did for all calls of one kernel by one algorithm. */
export interface TraceRow {
  readonly kernel: string;
  /** What the device ran for it: the algorithm that was chosen. */
  readonly steps: readonly string[];
  readonly calls: number;
  readonly milliseconds: number;
  /** Of the plain algorithm, a multiply-add being two; 0 where the kernel does not count them. */
  readonly flops: number;
  /** Elements read and written once each. */
  readonly bytes: number;
  /** 10⁹ of those operations a second. */
  readonly gflops: number;
  /** 10⁹ of those bytes a second. */
  readonly gbps: number;
  /** `gflops` as a share of the device's peak, above 1 where an algorithm saves operations; null: peak not known. */
  readonly ofPeak: number | null;
}

/**
 * Sums a trace by kernel and algorithm, the longest first.
 *
 * @param peakGflops of the whole device; null where it is not known.
 */
export function traceRows(entries: readonly TraceEntry[], peakGflops: number | null): TraceRow[] {
  const groups = new Map<string, TraceEntry[]>();
  for (const entry of entries) {
    const key = [entry.kernel, ...stepsOf(entry)].join(' ');
    const group = groups.get(key);
    if (group) group.push(entry);
    else groups.set(key, [entry]);
  }
  const rows = Array.from(groups.values(), (group): TraceRow => {
    const sum = (of: (entry: TraceEntry) => number): number => group.reduce((total, entry) => total + of(entry), 0);
    const [milliseconds, flops, bytes] = [sum((e) => e.milliseconds), sum((e) => e.flops), sum((e) => e.bytes)];
    const perSecond = (amount: number): number => (milliseconds > 0 ? amount / milliseconds / 1e6 : 0);
    return {
      kernel: group[0]!.kernel,
      steps: stepsOf(group[0]!),
      calls: group.length,
      ...{ milliseconds, flops, bytes, gflops: perSecond(flops), gbps: perSecond(bytes) },
      ofPeak: peakGflops === null ? null : perSecond(flops) / peakGflops,
    };
  });
  return rows.sort((a, b) => b.milliseconds - a.milliseconds);
}

const stepsOf = ({ steps }: TraceEntry): string[] => [...new Set(steps.map(({ step }) => step))];

/** The rows for a person, with their sum. */
export function showTrace(rows: readonly TraceRow[]): string[] {
  const total = rows.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const calls = rows.reduce((sum, row) => sum + row.calls, 0);
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  const cells = rows.map((row) => [
    row.kernel,
    row.milliseconds.toFixed(2),
    percent(row.milliseconds / total),
    grouped(row.calls),
    row.flops > 0 ? row.gflops.toFixed(1) : '',
    row.gbps.toFixed(1),
    row.flops > 0 && row.ofPeak !== null ? percent(row.ofPeak) : '',
    row.steps.join(' '),
  ]);
  const head = ['kernel', 'ms', 'share', 'calls', 'GFLOPS', 'GB/s', 'of peak', 'steps'];
  return alignColumns([head, ...cells, ['all', total.toFixed(2), '', grouped(calls)]], 'lrrrrrrl');
}
