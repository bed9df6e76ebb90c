/** A comparison as a page. */

/** @param {object} report what compare.mjs writes as JSON */
export function markdown(report) {
  const { date, machine, node, model, size, device, commit, rounds, runsPerRound, loadAverage, commands } = report;
  const selection = report.runs.find(({ runtime }) => runtime === 'ii')?.selection;
  return `# UPerNet InternImage-${model}, ${size.join('×')}, on the ${device === 'webgpu' ? 'GPU' : 'CPU'}

[How to read and repeat this](./README.md). Measured by \`bench/peers/compare.mjs\`; all single times are in the JSON file
beside this one.

${table(
  ['', ''],
  [
    ...where(date, machine, node),
    ['II', `commit ${commit ?? 'unknown'}; ${selection ?? ''}`],
    ['rounds', `${rounds} of ${runsPerRound} turns, in new processes, after one run to warm up`],
    ['load average', `${loadAverage.before} before, ${loadAverage.after} after`],
  ],
)}

## Times and memory

${table(
  ['runtime', 'threads', 'median', 'fastest', 'warm-up', 'loading', 'peak memory'],
  report.results.map(({ runtime, version, threads, medianMs, minMs, warmupMs, loadMs, peakRssBytes }) => [
    [name(runtime), version].filter(Boolean).join(' '),
    threads,
    ...[medianMs, minMs, warmupMs, loadMs].map((ms) => `${Math.round(ms)} ms`),
    `${Math.round(peakRssBytes / 2 ** 20)} MiB`,
  ]),
)}

## II against the others

${table(
  ['against', 'threads', 'II is faster by', 'round by round', "II's memory"],
  report.ratios.map(({ against, threads, times, rounds: each, memoryShare }) => [
    ...[against, threads, `**${times.toFixed(2)}×**`, showRounds(each)],
    `${memoryShare.toFixed(2)}×`,
  ]),
)}
${scalingSection(report.scaling)}
## Commands

\`\`\`sh
${commands.join('\n')}
\`\`\`
`;
}

/** When and on what a measurement was made, as rows of a table. */
export function where(date, machine, node) {
  const memory = `${Math.round(machine.memoryBytes / 2 ** 30)} GiB`;
  const extensions = machine.extensions.length > 0 ? `, ${machine.extensions.join(' ')}` : '';
  return [
    ['date', date.slice(0, 10)],
    ['machine', `${machine.cpu}, ${machine.threads} threads${extensions}; ${memory}; ${machine.system}`],
    ['Node', `${node.version} (V8 ${node.v8})`],
  ];
}

function scalingSection(scaling) {
  if (scaling.length === 0) return '';
  const rows = scaling.map(({ runtime, threads, times, rounds }) => [
    ...[name(runtime), threads, `${times.toFixed(2)}×`, showRounds(rounds)],
  ]);
  return `
## Threads against one thread

${table(['runtime', 'threads', 'faster by', 'round by round'], rows)}
`;
}

const showRounds = (ratios) => ratios.map((ratio) => ratio.toFixed(2)).join(', ');

const name = (runtime) => ({ ii: 'II', registers: 'the machine: multiply-adds in registers' })[runtime] ?? runtime;

/**
 * A table whose columns are as wide as their widest cell.
 *
 * @param {readonly string[]} head @param {readonly (readonly (string | number)[])[]} rows
 */
export function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const [first, ...others] = cells;
  return [line(first), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...others.map(line)].join('\n');
}
