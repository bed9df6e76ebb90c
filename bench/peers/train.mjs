/**
 * Compares a training iteration with PyTorch's on the CPU: rounds in turns, a fresh process each, and a page in
 * docs/benchmarks.
 *
 *   node bench/peers/train.mjs --pytorch BENCH.py [--python PATH] [--node PATH] [--model T] [--size HxW] [--batch N]
 *     [--threads N] [--runs R] [--rounds N] [--out DIR]
 *
 * `BENCH.py --models T --modes train --dtypes fp32 --batch N --size HxW --runs R` prints one JSON line with `ms`, the median
 * of whole iterations (forward, both losses, backward, AdamW), and `torch`, the version.
 */
import { execFile } from 'node:child_process';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { describeCommit, describeMachine, describeNode, fileStem, loadAverage } from './machine.mjs';
import { table, where } from './markdown.mjs';
import { writeReport } from './report.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values } = parseArgs({
  options: {
    pytorch: { type: 'string' },
    python: { type: 'string', default: 'python3' },
    node: { type: 'string', default: process.execPath },
    model: { type: 'string', default: 'T' },
    size: { type: 'string', default: '512x512' },
    batch: { type: 'string', default: '2' },
    threads: { type: 'string', default: '2' },
    runs: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '2' },
    out: { type: 'string', default: join(root, 'docs/benchmarks') },
  },
});
const { pytorch, python, model, size, batch, threads, runs: perRound } = values;
if (!pytorch) throw new Error('give PyTorch’s script: node train.mjs --pytorch BENCH.py');

const shape = ['--size', size, '--batch', batch, '--runs', perRound];
const ours = ['bench', '--train', '--model', model, ...shape, '--device', 'wasm', '--threads', threads, '--json'];
const theirs = ['--models', model, '--modes', 'train', '--dtypes', 'fp32', ...shape];
/** Runs a script, and prints after its output the most memory that the process held, in KiB. */
const measured = `import resource, runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)`;

const run = promisify(execFile);

async function runOurs() {
  const { stdout } = await run(values.node, [join(root, 'packages/zoo/bin/ii.js'), ...ours]);
  return JSON.parse(stdout);
}

async function runTheirs() {
  const env = { ...process.env, OMP_NUM_THREADS: threads };
  const { stdout } = await run(python, ['-c', measured, pytorch, ...theirs], { env, cwd: dirname(pytorch) });
  const [line = '', kibibytes = ''] = stdout.trim().split('\n');
  return { ...JSON.parse(line), peakRssBytes: Number(kibibytes) * 1024 };
}

const [machine, node, date, loadBefore] = [
  describeMachine(),
  describeNode(values.node),
  new Date().toISOString(),
  loadAverage(),
];
const rounds = [];
for (let round = 1; round <= Number(values.rounds); round++) {
  process.stderr.write(`round ${round} of ${values.rounds}: ii … `);
  const ii = await runOurs();
  process.stderr.write(`${Math.round(ii.medianMs)} ms, PyTorch … `);
  const torch = await runTheirs();
  process.stderr.write(`${Math.round(torch.ms)} ms\n`);
  rounds.push({ ii, torch });
}

const report = {
  ...{ date, machine, node, commit: describeCommit(root), loadAverage: { before: loadBefore, after: loadAverage() } },
  ...{ model, size, batch, threads, rounds },
};
const seconds = (/** @type {number} */ ms) => `${(ms / 1000).toFixed(1)} s`;
const gibibytes = (/** @type {number} */ bytes) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
const [first] = rounds;
const page = `# Training UPerNet InternImage-${model}, ${batch} images of ${size.replace('x', '×')}, on the CPU

[How to read and repeat this](./README.md). Measured by \`bench/peers/train.mjs\`; all single times are in the JSON file
beside this one.

${table(
  ['', ''],
  [
    ...where(date, machine, node),
    ['II', `commit ${report.commit ?? 'unknown'}`],
    ['PyTorch', first.torch.torch],
    ['load average', `${report.loadAverage.before} before, ${report.loadAverage.after} after`],
  ],
)}

One iteration: forward pass, both losses, backward pass, AdamW; ${threads} threads, medians of ${perRound} after a warm-up.
II's activations, between forward and backward pass: ${gibibytes(first.ii.activationBytes)}.

${table(
  ['round', 'II', 'forward', 'backward', 'AdamW', 'PyTorch', 'II is faster by', "II's memory", "PyTorch's"],
  rounds.map(({ ii, torch }, i) => [
    ...[i + 1, seconds(ii.medianMs), seconds(ii.forwardMs), seconds(ii.backwardMs), seconds(ii.stepMs)],
    ...[seconds(torch.ms), `**${(torch.ms / ii.medianMs).toFixed(2)}×**`],
    ...[gibibytes(ii.peakRssBytes), gibibytes(torch.peakRssBytes)],
  ]),
)}
`;
const stem = await writeReport(values.out, `${fileStem(machine, node)}-training`, report, page);
process.stdout.write(`${relative(process.cwd(), stem)}.md and .json\n`);
