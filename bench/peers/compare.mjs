/**
 * Times II and onnxruntime on the same network, run by run in turns, each in a process of its own, and writes what was
 * measured to docs/benchmarks. See docs/benchmarks/README.md.
 *
 *   node compare.mjs --graph DIR [--node PATH] [--peers node,web] [--threads 1,2] [--runs R] [--rounds N] [--out DIR]
 *   node compare.mjs --graph DIR --device webgpu […]      on the GPU, against onnxruntime-node's webgpu provider
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeCommit, describeMachine, describeNode, fileStem, gpuStem, loadAverage } from './machine.mjs';
import { markdown } from './markdown.mjs';
import { writeReport } from './report.mjs';
import { summarize } from './summary.mjs';
import { Contestant } from './turns.mjs';

const USAGE =
  'usage: node compare.mjs --graph DIR [--node PATH] [--peers node,web] [--device wasm|webgpu] [--threads 1,2] [--runs R] [--rounds N] [--out DIR]';
const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));

const options = readOptions();
if (!existsSync(join(root, 'packages/zoo/dist'))) throw new Error('the packages are not built: run npm run build');
const node = describeNode(options.node);
const machine = describeMachine();
const { model, size } = readGraph(options.graph);
const date = new Date().toISOString();
const loadBefore = loadAverage();

const contestants = listContestants();
const runs = [];
for (let round = 1; round <= options.rounds; round++) runs.push(...(await playRound(round)));

const report = {
  ...{ date, machine, node, model, size, device: options.device, commit: describeCommit(root) },
  ...{ rounds: options.rounds, runsPerRound: options.runs, loadAverage: { before: loadBefore, after: loadAverage() } },
  commands: commands(),
  ...summarize(runs),
  runs,
};
const ours = runs.find(({ runtime }) => runtime === 'ii');
const fileName = options.device === 'webgpu' ? gpuStem(ours.selection) : fileStem(machine, node);
const stem = await writeReport(options.out, fileName, report, markdown(report));
process.stdout.write(`${relative(process.cwd(), stem)}.md and .json\n`);

function readOptions() {
  const { values } = parseArgs({
    options: {
      graph: { type: 'string' },
      node: { type: 'string', default: process.execPath },
      device: { type: 'string', default: 'wasm' },
      peers: { type: 'string' },
      threads: { type: 'string' },
      runs: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '5' },
      out: { type: 'string', default: join(root, 'docs/benchmarks') },
    },
  });
  const { graph, out } = values;
  const onGpu = values.device === 'webgpu';
  const offered = onGpu ? ['node-webgpu'] : ['node', 'web'];
  const peers = (values.peers ?? offered[0]).split(',');
  // A GPU's work does not depend on threads.
  const threads = onGpu ? [1] : (values.threads ?? '2').split(',').map(Number);
  const [count, rounds] = [Number(values.runs), Number(values.rounds)];
  const valid =
    graph !== undefined &&
    (onGpu || values.device === 'wasm') &&
    peers.every((peer) => offered.includes(peer)) &&
    [...threads, count, rounds].every((n) => Number.isInteger(n) && n >= 1);
  if (!valid) {
    console.error(USAGE);
    process.exit(2);
  }
  return { graph, node: values.node, device: values.device, peers, threads, runs: count, rounds, out };
}

/** Which model a graph holds, told from its name, and the size of its input. @param {string} folder */
function readGraph(folder) {
  const name = readdirSync(folder).find((file) => file.endsWith('.expected.json'));
  if (name === undefined) throw new Error(`${folder} holds no NAME.expected.json; --graph expects an exported graph`);
  const [, variant] = /internimage_([a-z]+)_/.exec(name) ?? [];
  const { input } = JSON.parse(readFileSync(join(folder, name), 'utf8'));
  const [, height, width] = /\[1, ?3, ?(\d+), ?(\d+)\]/.exec(input) ?? [];
  if (variant === undefined || width === undefined) {
    throw new Error(`${name}: expected a name with internimage_VARIANT_ and an input of [1, 3, H, W]`);
  }
  return { model: variant.toUpperCase(), size: [Number(height), Number(width)] };
}

/** The processes of a round: each runtime with each number of threads, and what the machine itself can. */
function listContestants() {
  const compared = options.threads.length > 1 && options.threads.includes(1);
  return ['ii', ...options.peers, ...(compared ? ['registers'] : [])].flatMap((runtime) =>
    options.threads.map((threads) => ({ runtime, threads })),
  );
}

/** @param {{ runtime: string, threads: number }} contestant @param {string} graph */
function command({ runtime, threads }, graph) {
  const counts = ['--threads', String(threads), '--runs', String(options.runs)];
  const what = ['--model', model, '--size', size.join('x'), '--device', options.device];
  if (runtime === 'ii') return { script: 'ii.mjs', args: [...what, ...counts] };
  if (runtime === 'registers') return { script: 'registers.mjs', args: counts };
  return { script: 'ort.mjs', args: ['--graph', graph, '--runtime', runtime, ...counts] };
}

/** All contestants, started one after the other, then run by run in turns. @param {number} round */
async function playRound(round) {
  const show = (/** @type {string} */ text) => process.stderr.write(`round ${round} of ${options.rounds}: ${text}\n`);
  const started = [];
  for (const each of contestants) {
    show(`loading ${each.runtime}, ${each.threads} threads`);
    const { script, args } = command(each, options.graph);
    const contestant = new Contestant(options.node, join(here, script), args);
    started.push(contestant);
    await contestant.ready();
  }
  for (let turn = 1; turn <= options.runs; turn++) {
    show(`turn ${turn} of ${options.runs}`);
    for (const contestant of started) await contestant.run();
  }
  const results = [];
  for (const contestant of started) results.push({ round, ...(await contestant.finish()) });
  for (const { runtime, threads, medianMs } of results)
    show(`${runtime}, ${threads} threads: ${Math.round(medianMs)} ms`);
  return results;
}

/** What was run, with the folder of the graph and the paths of this machine left out. */
function commands() {
  const flags = [
    ...['--graph', 'DIR', '--node', 'NODE', '--device', options.device, '--peers', options.peers.join(',')],
    ...['--threads', options.threads.join(','), '--runs', options.runs, '--rounds', options.rounds],
  ];
  const first = contestants.filter(({ threads }) => threads === options.threads[0]);
  return [
    `node bench/peers/compare.mjs ${flags.join(' ')}`,
    ...first
      .map((each) => command(each, 'DIR'))
      .map(({ script, args }) => `NODE bench/peers/${script} ${args.join(' ')}`),
  ];
}
