/**
 * Measures II on the GPU, one process after the other, and writes what was measured to docs/benchmarks: training at the
 * official recipes' crops and images per GPU, the way from an image to its label map, products and DCNv3.
 *
 *   node bench/record-gpu.mjs [--parts training,inference,halves,products,dcnv3] [--models T,S,B,L,XL,H] [--runs R]
 *     [--tune] [--node PATH] [--out DIR]
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
    parts: { type: 'string', default: 'training,inference,halves,products,dcnv3' },
    models: { type: 'string', default: 'T,S,B,L,XL,H' },
    runs: { type: 'string', default: '10' },
    tune: { type: 'boolean', default: false },
    out: { type: 'string', default: join(root, 'docs/benchmarks') },
  },
});
const names = values.models.split(',');
const date = new Date().toISOString();
const tune = values.tune ? ['--tune'] : [];
const [machine, node] = [describeMachine(), describeNode(values.node)];

const ms = (/** @type {number} */ value) => `${Math.round(value)} ms`;
const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(0)} %`;
const teraflops = (/** @type {number} */ gflops) => (gflops / 1000).toFixed(1);

/**
 * As the recipe has it; where that has checkpoints, also without, for GPUs that hold all activations.
 *
 * @param {string} name
 */
function trainingArguments(name) {
  const { training, config } = official(name);
  const what = ['--model', name, '--device', 'webgpu', '--train', '--batch', String(training.imagesPerGpu)];
  const checkpoints = config.backbone.withCp ? ['--with-cp', '--no-with-cp'] : ['--no-with-cp'];
  return checkpoints.map((flag) => [
    ...['packages/zoo/bin/ii.js', 'bench', ...what, flag, ...tune],
    ...['--runs', values.runs, '--trace', '--json'],
  ]);
}

/** @param {string} name */
function official(name) {
  const found = officialModels.find((model) => [model.name, ...model.aliases].includes(name.toLowerCase()));
  if (!found) throw new Error(`'${name}' is none of ${officialModels.map(({ aliases }) => aliases[0]).join(', ')}`);
  return found;
}

names.forEach(official);
const inferenceArguments = ['packages/upernet/bench/webgpu.mjs', values.models, ...tune];

/** What each part runs. @type {Readonly<Record<string, readonly (readonly string[])[]>>} */
const offered = {
  training: names.flatMap(trainingArguments),
  inference: [inferenceArguments],
  halves: [[...inferenceArguments, '--halves']],
  products: [['packages/tensor/bench/webgpu.mjs']],
  dcnv3: [['packages/dcnv3/bench/webgpu.mjs']],
};
const parts = values.parts.split(',');
for (const part of parts) {
  if (!(part in offered)) throw new Error(`'${part}' is none of ${Object.keys(offered).join(', ')}`);
}

/** The documents of each part. @type {Record<string, any[]>} */
const measured = {};
for (const part of parts) {
  measured[part] = [];
  for (const args of offered[part]) {
    try {
      measured[part].push(...(await runScript(values.node, args)));
    } catch (error) {
      // A model that the GPU cannot hold does not cost the others their figures.
      process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
      process.exitCode = 1;
    }
  }
}

/** As the device describes itself. @type {string} */
const device = Object.values(measured)
  .flat()
  .flatMap(({ selection, device: described }) => [selection, described])
  .find((text) => text?.startsWith('webgpu: '));
const report = { date, machine, node, commit: describeCommit(root), device, ...measured };
const stem = await writeReport(values.out, `${gpuStem(device)}-parts`, report, page());
process.stdout.write(`${relative(process.cwd(), stem)}.md and .json\n`);

function page() {
  const sections = {
    ...{ training: trainingSection, inference: inferenceSection, products: productsSection, dcnv3: dcnv3Section },
    // In the table of inference.
    halves: () => '',
  };
  return `# II on the GPU

[How to read and repeat this](./README.md). Measured by \`bench/record-gpu.mjs\`; all single times, and every kernel of a
training iteration of each model, are in the JSON file beside this one.

${table(
  ['', ''],
  [
    ...where(date, machine, node),
    ['GPU', device.replace(/^webgpu: /, '')],
    ['II', `commit ${report.commit ?? 'unknown'}`],
  ],
)}

${parts.map((part) => (measured[part]?.length ? sections[part]() : '')).join('')}## Commands

\`\`\`sh
node bench/record-gpu.mjs --node NODE --parts ${values.parts} --models ${values.models} --runs ${values.runs}${values.tune ? ' --tune' : ''}
${parts.flatMap((part) => offered[part].map((args) => `NODE ${args.join(' ')}`)).join('\n')}
\`\`\`
`;
}

function trainingSection() {
  const steps = measured.training;
  const [first] = steps;
  const whole = first.trace.kernels.reduce((/** @type {number} */ sum, { milliseconds }) => sum + milliseconds, 0);
  return `## Training

One iteration of the official recipe on one GPU: its crop, its images per GPU, forward pass, both losses, backward pass and
AdamW, in f32; for the times of its parts, each is waited for. Beside it what the official table gives for an A100 (PyTorch and CUDA, in processes
that also exchange gradients).

${table(
  [
    'model',
    'crop',
    'images',
    'checkpoints',
    'launch',
    'forward',
    'backward',
    'optimiser',
    'iteration',
    'A100',
    'activations',
  ],
  steps.map((step) => [
    ...[official(step.model).title.split('-').at(-1), step.size.join('×'), step.batch],
    ...[step.withCp ? 'yes' : '', step.tuned ? 'tuned' : 'estimated'],
    ...[ms(step.forwardMs), ms(step.backwardMs), ms(step.stepMs), `**${(step.medianMs / 1000).toFixed(2)} s**`],
    ...[`${official(step.model).published.trainSpeed} s`, `${(step.activationBytes / 2 ** 30).toFixed(1)} GiB`],
  ]),
)}

The kernels of an iteration of ${first.title} that take longest, by the GPU's own clock:

${table(
  ['kernel', 'calls', 'time', 'share', 'steps'],
  first.trace.kernels
    .slice(0, 12)
    .map(({ kernel, calls, milliseconds, steps: shaders }) => [
      ...[kernel, calls, `${milliseconds.toFixed(1)} ms`, percent(milliseconds / whole), shaders.join(', ')],
    ]),
)}

`;
}

function inferenceSection() {
  return `## From the image to the label map

Random weights, one image, a recording replayed; the first run compiles kernels and packs weights. \`f16\`: weights and
activations are stored as halves (\`weightStorage\`, \`activationStorage\`). \`tuned\`: with launch parameters that \`device.tune\`
measured.

${table(
  ['model', 'size', 'GMAC', 'stored', 'launch', 'first run', 'median', 'fastest', 'TMAC/s', 'memory'],
  [...measured.inference, ...(measured.halves ?? [])]
    .filter(({ launch }) => launch !== undefined)
    .map(({ model, size, gmacs, storage, launch, warmupMs, medianMs, minMs, used }) => [
      ...[model, size.join('×'), gmacs, storage, launch, ms(warmupMs), `${medianMs} ms`, `${minMs} ms`],
      ...[(gmacs / medianMs).toFixed(1), `${(used / 2 ** 30).toFixed(2)} GiB`],
    ]),
)}

`;
}

function productsSection() {
  const [, arithmetic, copy, ...cases] = measured.products;
  return `## Products and convolutions

Multiply-adds in registers reach ${teraflops(arithmetic.gflops)} TFLOPS, a copy ${Math.round(copy.gigabytesPerSecond)} GB/s, counting
what it reads and what it writes. Algorithms that save multiplications exceed the peak.

${table(
  ['', 'best', 'TFLOPS', 'of peak', 'GB/s'],
  cases.map(({ name, ms: best, gflops, ofPeak, gigabytesPerSecond }) => [
    ...[name, `${best} ms`, teraflops(gflops), percent(ofPeak), Math.round(gigabytesPerSecond)],
  ]),
)}

`;
}

function dcnv3Section() {
  return `## DCNv3

Points within \`reach\` of their places on the grid. Bytes are those that must be moved at least; \`of relu\` compares their rate
with that of an elementwise kernel on the same map.

${table(
  ['level', 'reach', 'forward', 'GB/s', 'of relu', 'gradient', 'equal bits in every run'],
  measured.dcnv3
    .slice(1)
    .map(({ name, reach, ms: best, gigabytesPerSecond, ofCopy, gradientMs, deterministicMs }) => [
      ...[name, reach, `${best} ms`, Math.round(gigabytesPerSecond), percent(ofCopy)],
      ...[`${gradientMs} ms`, `${deterministicMs} ms`],
    ]),
)}

`;
}
