/** Medians of the rounds, and the runtimes against each other. */

/**
 * @typedef {object} Run one process
 * @property {number} round
 * @property {string} runtime
 * @property {string} version
 * @property {number} threads
 * @property {number} medianMs of the timed runs in the process
 * @property {number} minMs
 * @property {number} warmupMs
 * @property {number} loadMs
 * @property {number} peakRssBytes
 */

/**
 * Medians over the rounds for each runtime and number of threads. Ratios are taken within each round, so that what
 * else the machine did meanwhile weighs on both sides, and only then is their median taken.
 *
 * @param {readonly Run[]} runs
 * @param {readonly Run[]} ceiling what is no runtime, but scales as the machine lets it
 */
export function summarize(runs, ceiling) {
  const cases = casesOf(runs);
  const results = cases.map(({ runtime, threads, of }) => ({
    ...{ runtime, version: of[0].version, threads },
    medianMs: tenths(median(of.map((run) => run.medianMs))),
    minMs: tenths(Math.min(...of.map((run) => run.minMs))),
    warmupMs: tenths(median(of.map((run) => run.warmupMs))),
    loadMs: tenths(median(of.map((run) => run.loadMs))),
    peakRssBytes: Math.max(...of.map((run) => run.peakRssBytes)),
  }));

  const ratios = [];
  for (const peer of cases.filter(({ runtime }) => runtime !== 'ii')) {
    const ours = cases.find(({ runtime, threads }) => runtime === 'ii' && threads === peer.threads);
    const pairs = pairwise(peer.of, ours.of, ({ medianMs }) => medianMs);
    const memory = median(pairwise(ours.of, peer.of, ({ peakRssBytes }) => peakRssBytes));
    ratios.push({
      ...{ against: peer.runtime, threads: peer.threads, timesFaster: hundredths(median(pairs)) },
      ...{ pairs: pairs.map(hundredths), memoryShare: hundredths(memory) },
    });
  }

  const scaling = [];
  const scaled = [...cases, ...casesOf(ceiling)];
  for (const { runtime, threads, of } of scaled.filter((each) => each.threads > 1)) {
    const single = scaled.find((each) => each.runtime === runtime && each.threads === 1);
    if (!single) continue;
    const pairs = pairwise(single.of, of, ({ medianMs }) => medianMs);
    scaling.push({ runtime, threads, speedup: hundredths(median(pairs)), pairs: pairs.map(hundredths) });
  }
  return { results, ratios, scaling };
}

/** The runs of each runtime and number of threads. @param {readonly Run[]} runs */
function casesOf(runs) {
  return [...new Set(runs.map(({ runtime, threads }) => JSON.stringify([runtime, threads])))].map((key) => {
    const [runtime, threads] = JSON.parse(key);
    return { runtime, threads, of: runs.filter((run) => run.runtime === runtime && run.threads === threads) };
  });
}

/**
 * `value(a) / value(b)` for the runs of each round.
 *
 * @param {readonly Run[]} a @param {readonly Run[]} b @param {(run: Run) => number} value
 */
function pairwise(a, b, value) {
  return a.map((run) => value(run) / value(b.find(({ round }) => round === run.round)));
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((x, y) => x - y);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const tenths = (value) => Math.round(value * 10) / 10;
const hundredths = (value) => Math.round(value * 100) / 100;
