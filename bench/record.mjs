/**
 * Measures II by itself, one process after the other, and writes what was measured to docs/benchmarks: the larger models,
 * matrix products against the machine's peak, and the way from a checkpoint on disk to the first result.
 *
 *   node bench/record.mjs [--node PATH] [--models S,B,L,XL,H] [--threads N] [--runs R] [--out DIR]
 */
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { describeCommit, describeMachine, describeNode, fileStem, loadAverage } from './peers/machine.mjs';
import { table, where } from './peers/markdown.mjs';
import { writeReport } from './peers/report.mjs';
import { root, runScript } from './run-script.mjs';

/** The official test of H is at another scale; at this one its cost is known. */
const sizes = { H: '896x896' };
/** A run of H takes minutes. */
const once = ['H'];

const { values } = parseArgs({
  options: {
    node: { type: 'string', default: process.execPath },
    models: { type: 'string', default: 'S,B,L,XL,H' },
    threads: { type: 'string', default: '2' },
    runs: { type: 'string', default: '3' },
    out: { type: 'string', default: join(root, 'docs/benchmarks') },
  },
});
const machine = describeMachine();
const node = describeNode(values.node);
const date = new Date().toISOString();
const loadBefore = loadAverage();

/** @param {string} model */
function modelArguments(model) {
  const size = sizes[model];
  const what = ['--model', model, ...(size ? ['--size', size] : []), '--device', 'wasm', '--threads', values.threads];
  return ['packages/zoo/bin/ii.js', 'bench', ...what, '--runs', once.includes(model) ? '1' : values.runs, '--json'];
}

const products = await runScript(values.node, ['packages/tensor/bench/gemm.mjs']);
const loading = await runScript(values.node, ['packages/zoo/bench/loading.mjs']);
const models = [];
for (const model of values.models.split(',').filter(Boolean))
  models.push(...(await runScript(values.node, modelArguments(model))));

const report = {
  ...{ date, machine, node, commit: describeCommit(root), loadAverage: { before: loadBefore, after: loadAverage() } },
  ...{ products, loading, models },
};
const stem = await writeReport(values.out, `${fileStem(machine, node)}-parts`, report, page(report));
process.stdout.write(`${relative(process.cwd(), stem)}.md and .json\n`);

/** @param {typeof report} of */
function page({ loadAverage: load, commit, products: [first, ...cases], loading: steps, models: all }) {
  const seconds = (/** @type {number} */ ms) => `${(ms / 1000).toFixed(2)} s`;
  const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(0)} %`;
  const perMs = (/** @type {number | undefined} */ ms) => (ms === undefined ? '' : `${ms.toFixed(0)} ms`);
  return `# Models, products and loading on the CPU

[How to read and repeat this](./README.md). Measured by \`bench/record.mjs\`; all single times are in the JSON file beside
this one.

${table(
  ['', ''],
  [
    ...where(date, machine, node),
    ['II', `commit ${commit ?? 'unknown'}; ${all[0]?.selection ?? ''}`],
    ['load average', `${load.before} before, ${load.after} after`],
  ],
)}

## Models

Random weights, from the input tensor to the label map, ${values.threads} threads.

${table(
  ['model', 'size', 'median', 'fastest', 'first run', 'loading', 'peak memory'],
  all.map(({ model, size, medianMs, minMs, warmupMs, loadMs, peakRssBytes }) => [
    ...[model, size.join('×'), seconds(medianMs), seconds(minMs), seconds(warmupMs), seconds(loadMs)],
    `${(peakRssBytes / 2 ** 30).toFixed(2)} GiB`,
  ]),
)}

## Matrix products

The right operand of \`linear\` is prepared, that of \`matmul\` packed in each run. The peak is that of
${first.fused ? 'fused multiply-adds' : 'multiplications and additions'} in 128-bit registers, measured in the same process:
${first.peakGflops} GFLOPS a thread.

${table(
  ['product', 'threads', 'best', 'GFLOPS', 'of peak', 'of peak, median'],
  cases.map(({ name, threads, ms, medianMs, gflops, ofPeak }) => [
    ...[name, threads, `${ms} ms`, gflops.toFixed(1), percent(ofPeak), percent((ofPeak * ms) / medianMs)],
  ]),
)}

## From a checkpoint to the first result

A \`.pth\` of ${Math.round(steps[0].bytes / 1e6)} MB with the tensors of InternImage-T, in the system's cache; the device runs
with 2 threads. The first result is a photo's label map; before it, kernels are compiled and weights prepared (warm-up).

${table(
  ['step', 'time', 'GB/s (loading)', 'of it loading', 'warm-up', 'a later photo'],
  steps.map(({ name, ms, gbps, loadMs, loadGbps, warmupMs, laterMs }) => [
    ...[name, perMs(ms), (gbps ?? loadGbps)?.toFixed(2) ?? '', perMs(loadMs), perMs(warmupMs), perMs(laterMs)],
  ]),
)}

## Commands

\`\`\`sh
node bench/record.mjs --node NODE --models ${values.models} --threads ${values.threads} --runs ${values.runs}
NODE packages/tensor/bench/gemm.mjs
NODE packages/zoo/bench/loading.mjs
${values.models
  .split(',')
  .map((model) => `NODE ${modelArguments(model).join(' ')}`)
  .join('\n')}
\`\`\`
`;
}
