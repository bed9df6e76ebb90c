/**
 * Measures II on the GPU, one process after the other, and writes what was measured to docs/benchmarks: training at the
 * official recipes' crops and images per GPU, the way from an image to its label map, products and DCNv3.
 *
 *   node bench/record-gpu.mjs [--node PATH] [--models T,S,B,L,XL,H] [--runs R] [--out DIR]
 */
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { officialModels } from '@ii/zoo';
import { describeCommit, describeMachine, describeNode, gpuStem } from './peers/machine.mjs';
import { table, where } from './peers/markdown.mjs';
import { writeReport } from './peers/report.mjs';
import { root, runScript } from './run-script.mjs';

const { values } = parseArgs({
  options: {
    node: { type: 'string', default: process.execPath },
    models: { type: 'string', default: 'T,S,B,L,XL,H' },
    runs: { type: 'string', default: '10' },
    out: { type: 'string', default: join(root, 'docs/benchmarks') },
  },
});
const names = values.models.split(',');
const date = new Date().toISOString();
const [machine, node] = [describeMachine(), describeNode(values.node)];

/** @param {string} name */
function trainingArguments(name) {
  const { training, config } = official(name);
  const what = ['--model', name, '--device', 'webgpu', '--train', '--batch', String(training.imagesPerGpu)];
  const withCp = config.backbone.withCp ? ['--with-cp'] : [];
  return ['packages/zoo/bin/ii.js', 'bench', ...what, ...withCp, '--runs', values.runs, '--trace', '--json'];
}

/** @param {string} name */
function official(name) {
  const found = officialModels.find(({ aliases }) => aliases.includes(name.toLowerCase()));
  if (!found) throw new Error(`'${name}' is none of ${officialModels.map(({ aliases }) => aliases[0]).join(', ')}`);
  return found;
}

names.forEach(official);
const inferenceArguments = ['packages/upernet/bench/webgpu.mjs', values.models];
// Drawing the billion weights of H once is enough.
const halvesArguments = ['packages/upernet/bench/webgpu.mjs', names.filter((name) => name !== 'H').join(), '--halves'];
const productArguments = ['packages/tensor/bench/webgpu.mjs'];
const dcnv3Arguments = ['packages/dcnv3/bench/webgpu.mjs'];

const training = [];
for (const name of names) {
  const [measured] = await runScript(values.node, trainingArguments(name));
  training.push({ model: name, official: official(name).published.trainSpeed, ...measured });
}
const inference = await runScript(values.node, inferenceArguments);
if (halvesArguments[1]) inference.push(...(await runScript(values.node, halvesArguments)));
const products = await runScript(values.node, productArguments);
const dcnv3 = await runScript(values.node, dcnv3Arguments);

const device = products[0].device;
const report = { date, machine, node, commit: describeCommit(root), device, training, inference, products, dcnv3 };
const stem = await writeReport(values.out, `${gpuStem(device)}-parts`, report, page(report));
process.stdout.write(`${relative(process.cwd(), stem)}.md and .json\n`);

/** @param {typeof report} of */
function page({ commit, training: steps, inference: runs, products: [, arithmetic, copy, ...cases], dcnv3: points }) {
  const ms = (/** @type {number} */ value) => `${Math.round(value)} ms`;
  const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(0)} %`;
  const teraflops = (/** @type {number} */ gflops) => (gflops / 1000).toFixed(1);
  const first = steps[0];
  const whole = first.trace.kernels.reduce((/** @type {number} */ sum, { milliseconds }) => sum + milliseconds, 0);
  return `# Training, inference, products and DCNv3 on the GPU

[How to read and repeat this](./README.md). Measured by \`bench/record-gpu.mjs\`; all single times, and every kernel of a
training iteration of each model, are in the JSON file beside this one.

${table(
  ['', ''],
  [...where(date, machine, node), ['GPU', device.replace(/^webgpu: /, '')], ['II', `commit ${commit ?? 'unknown'}`]],
)}

## Training

One iteration of the official recipe on one GPU: its crop, its images per GPU, forward pass, both losses, backward pass and
AdamW, in f32, each part waited for. Beside it what the official table gives for an A100 (PyTorch and CUDA, in 8 or 16 processes
that also exchange gradients).

${table(
  ['model', 'crop', 'images', 'checkpoints', 'forward', 'backward', 'optimiser', 'iteration', 'A100', 'activations'],
  steps.map(({ model, size, batch, withCp, official: a100, ...step }) => [
    ...[model, size.join('×'), batch, withCp ? 'yes' : ''],
    ...[ms(step.forwardMs), ms(step.backwardMs), ms(step.stepMs)],
    ...[
      `**${(step.medianMs / 1000).toFixed(2)} s**`,
      `${a100} s`,
      `${(step.activationBytes / 2 ** 30).toFixed(1)} GiB`,
    ],
  ]),
)}

The kernels of an iteration of ${first.model} that take longest, by the GPU's own clock:

${table(
  ['kernel', 'calls', 'time', 'share', 'steps'],
  first.trace.kernels
    .slice(0, 12)
    .map(({ kernel, calls, milliseconds, steps: parts }) => [
      ...[kernel, calls, `${milliseconds.toFixed(1)} ms`, percent(milliseconds / whole), parts.join(', ')],
    ]),
)}

## From the image to the label map

Random weights, one image, a recording replayed; the first run compiles kernels and packs weights. With weights and activations
stored as f32, and as halves (\`weightStorage\`, \`activationStorage\`).

${table(
  ['model', 'size', 'GMAC', 'stored', 'first run', 'median', 'fastest', 'TMAC/s', 'memory'],
  runs
    .filter(({ launch }) => launch === 'estimated')
    .map(({ model, size, gmacs, storage, warmupMs, medianMs, minMs, used }) => [
      ...[model, size.join('×'), gmacs, storage, ms(warmupMs), `${medianMs} ms`, `${minMs} ms`],
      ...[(gmacs / medianMs).toFixed(1), `${(used / 2 ** 30).toFixed(2)} GiB`],
    ]),
)}

## Products and convolutions

Multiply-adds in registers reach ${teraflops(arithmetic.gflops)} TFLOPS, a copy ${Math.round(copy.gigabytesPerSecond)} GB/s, counting
what it reads and what it writes. Algorithms that save multiplications exceed the peak.

${table(
  ['', 'best', 'TFLOPS', 'of peak', 'GB/s'],
  cases.map(({ name, ms: best, gflops, ofPeak, gigabytesPerSecond }) => [
    ...[name, `${best} ms`, teraflops(gflops), percent(ofPeak), Math.round(gigabytesPerSecond)],
  ]),
)}

## DCNv3

Points within \`reach\` of their places on the grid. Bytes are those that must be moved at least; \`of relu\` compares their rate
with that of an elementwise kernel on the same map.

${table(
  ['level', 'reach', 'forward', 'GB/s', 'of relu', 'gradient', 'equal bits in every run'],
  points
    .slice(1)
    .map(({ name, reach, ms: best, gigabytesPerSecond, ofCopy, gradientMs, deterministicMs }) => [
      ...[name, reach, `${best} ms`, Math.round(gigabytesPerSecond), percent(ofCopy)],
      ...[`${gradientMs} ms`, `${deterministicMs} ms`],
    ]),
)}

## Commands

\`\`\`sh
node bench/record-gpu.mjs --node NODE --models ${values.models} --runs ${values.runs}
${[...names.map(trainingArguments), inferenceArguments, halvesArguments, productArguments, dcnv3Arguments].map((args) => `NODE ${args.join(' ')}`).join('\n')}
\`\`\`
`;
}
