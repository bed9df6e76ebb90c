import type { AskedLaunch, Launches, TuningTable } from './launches.js';
import type { TraceEntry } from './trace.js';

export interface TuneOptions {
  /** Times that each candidate is measured, after one run to compile and prepare; the shortest counts. Default: 3. */
  readonly repeats?: number;
  /** Told after each run of the work. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  /** Stops between two runs. */
  readonly signal?: AbortSignal;
}

/** How much shorter than the fallback's the time of a candidate must be: less may be chance. */
const gain = 0.97;

/**
 * Runs `work` with each candidate of every class of shapes in it, and keeps the fastest ones.
 *
 * @param trace runs the work and gives the times of its kernels' steps.
 */
export async function tuneLaunches(
  trace: () => Promise<readonly TraceEntry[]>,
  launches: Launches,
  { repeats = 3, onProgress, signal }: TuneOptions,
): Promise<TuningTable> {
  /** The shortest times by class, then by number of the candidate. */
  const times = new Map<string, number[]>();
  let asked = new Map<string, AskedLaunch>();
  try {
    for (let round = 0; round === 0 || round < mostCandidates(asked); round++) {
      launches.measure(round);
      for (let run = 0; run <= repeats; run++) {
        signal?.throwIfAborted();
        const entries = await trace();
        if (run > 0) note(times, round, entries);
        const total = Math.max(1, mostCandidates(asked)) * (repeats + 1);
        onProgress?.({ done: round * (repeats + 1) + run + 1, total });
        if (round === 0 && run === 0) {
          asked = launches.stop();
          launches.measure(round);
        }
      }
    }
  } finally {
    launches.stop();
  }
  for (const [shapes, { candidates, fallback }] of asked) {
    const measured = times.get(shapes) ?? [];
    const timeOf = (candidate: object): number => measured[candidates.indexOf(candidate)] ?? Infinity;
    const fastest = candidates.reduce((best, each) => (timeOf(each) < timeOf(best) ? each : best), fallback);
    launches.set(shapes, timeOf(fastest) < gain * timeOf(fallback) ? fastest : null);
  }
  return launches.table();
}

const mostCandidates = (asked: ReadonlyMap<string, AskedLaunch>): number =>
  Math.max(0, ...[...asked.values()].map(({ candidates }) => candidates.length));

/** Adds up the steps of each class in a trace. */
function note(times: Map<string, number[]>, round: number, entries: readonly TraceEntry[]): void {
  const sums = new Map<string, number>();
  for (const { launch, milliseconds } of entries.flatMap(({ steps }) => steps)) {
    if (launch !== undefined) sums.set(launch, (sums.get(launch) ?? 0) + milliseconds);
  }
  for (const [shapes, sum] of sums) {
    const best = times.get(shapes) ?? [];
    best[round] = Math.min(best[round] ?? Infinity, sum);
    times.set(shapes, best);
  }
}
