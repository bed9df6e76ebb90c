/** Medians of all turns, and the runtimes against each other. */

/**
 * @typedef {object} Run one process, in one round
 * @property {number} round
 * @property {string} runtime
 * @property {string} [version]
 * @property {number} threads
 * @property {readonly number[]} runsMs turn by turn
 * @property {number} warmupMs
 * @property {number} loadMs
 * @property {number} peakRssBytes
 */

/**
 * Medians for each runtime and number of threads. Ratios are taken within each turn, in which runs follow each other at
 * once, so that what else the machine did meanwhile weighs on both sides, and only then is their median taken.
 *
 * @param {readonly Run[]} runs
 */
export function summarize(runs) {
  const cases = casesOf(runs);
  const runtimes = cases.filter(({ runtime }) => runtime !== 'registers');
  const results = runtimes.map(({ runtime, threads, of }) => ({
    ...{ runtime, version: of[0].version, threads },
    medianMs: tenths(median(of.flatMap((run) => run.runsMs))),
    minMs: tenths(Math.min(...of.flatMap((run) => run.runsMs))),
    warmupMs: tenths(median(of.map((run) => run.warmupMs))),
    loadMs: tenths(median(of.map((run) => run.loadMs))),
    peakRssBytes: Math.max(...of.map((run) => run.peakRssBytes)),
  }));

  const ratios = [];
  for (const peer of runtimes.filter(({ runtime }) => runtime !== 'ii')) {
    const ours = cases.find(({ runtime, threads }) => runtime === 'ii' && threads === peer.threads);
    const { times, rounds } = inTurns(peer.of, ours.of);
    const memory = median(ours.of.map((run, i) => run.peakRssBytes / peer.of[i].peakRssBytes));
    ratios.push({ against: peer.runtime, threads: peer.threads, times, rounds, memoryShare: hundredths(memory) });
  }

  const scaling = [];
  for (const { runtime, threads, of } of cases.filter((each) => each.threads > 1)) {
    const single = cases.find((each) => each.runtime === runtime && each.threads === 1);
    if (single) scaling.push({ runtime, threads, ...inTurns(single.of, of) });
  }
  return { results, ratios, scaling };
}

/**
 * How many times as long `a` takes as `b`: the median over all turns, and over those of each round.
 *
 * @param {readonly Run[]} a @param {readonly Run[]} b of the same rounds, in the same order
 */
function inTurns(a, b) {
  const turns = a.map((run, i) => run.runsMs.map((ms, turn) => ms / b[i].runsMs[turn]));
  return { times: hundredths(median(turns.flat())), rounds: turns.map((each) => hundredths(median(each))) };
}

/** The runs of each runtime and number of threads. @param {readonly Run[]} runs */
function casesOf(runs) {
  return [...new Set(runs.map(({ runtime, threads }) => JSON.stringify([runtime, threads])))].map((key) => {
    const [runtime, threads] = JSON.parse(key);
    return { runtime, threads, of: runs.filter((run) => run.runtime === runtime && run.threads === threads) };
  });
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((x, y) => x - y);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const tenths = (value) => Math.round(value * 10) / 10;
const hundredths = (value) => Math.round(value * 100) / 100;
