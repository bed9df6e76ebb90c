/**
 * Times `ii bench` and onnxruntime on the same network in turns, each run in a process of its own, and writes what was
 * measured to docs/benchmarks. See docs/benchmarks/README.md.
 *
 *   node compare.mjs --graph DIR [--node PATH] [--peers node,web] [--threads 1,2] [--runs R] [--rounds N] [--out DIR]
 *   node compare.mjs --graph DIR --device webgpu […]      on the GPU, against onnxruntime-node's webgpu provider
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { describeCommit, describeMachine, describeNode, fileStem, gpuStem, loadAverage } from './machine.mjs';
import { markdown } from './markdown.mjs';
import { writeReport } from './report.mjs';
import { summarize } from './summary.mjs';

const USAGE =
  'usage: node compare.mjs --graph DIR [--node PATH] [--peers node,web] [--device wasm|webgpu] [--threads 1,2] [--runs R] [--rounds N] [--out DIR]';
const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const ii = join(root, 'packages/zoo/bin/ii.js');

const options = readOptions();
if (!existsSync(join(root, 'packages/zoo/dist'))) throw new Error('the packages are not built: run npm run build');
const node = describeNode(options.node);
const machine = describeMachine();
const { model, size } = readGraph(options.graph);
const date = new Date().toISOString();
const loadBefore = loadAverage();

const runs = [];
const ceiling = [];
for (let round = 1; round <= options.rounds; round++) {
  for (const threads of options.threads) {
    for (const runtime of ['ii', ...options.peers]) {
      const run = runtime === 'ii' ? runOurs : (count) => runPeer(runtime, count);
      runs.push(await timed(run, { round, threads, runtime }));
    }
  }
  // What threads are worth on the machine itself, where they are compared.
  if (options.threads.length === 1 || !options.threads.includes(1)) continue;
  for (const threads of options.threads)
    ceiling.push(await timed(runRegisters, { round, threads, runtime: 'registers' }));
}

const report = {
  ...{ date, machine, node, model, size, device: options.device, commit: describeCommit(root) },
  ...{ rounds: options.rounds, runsPerRound: options.runs, loadAverage: { before: loadBefore, after: loadAverage() } },
  commands: commands(),
  ...summarize(runs, ceiling),
  runs: [...runs, ...ceiling],
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

/** The result of one process, its time shown. */
async function timed(run, { round, threads, runtime }) {
  process.stderr.write(`round ${round} of ${options.rounds}: ${runtime}, ${threads} threads … `);
  const result = await run(threads);
  process.stderr.write(`${Math.round(result.medianMs)} ms\n`);
  return { round, threads, runtime, ...result };
}

function ourArguments(threads) {
  const what = ['--model', model, '--size', size.join('x'), '--device', options.device];
  return ['bench', ...what, '--threads', String(threads), '--runs', String(options.runs), '--json'];
}

function peerArguments(runtime, threads, graph) {
  return ['--graph', graph, '--runtime', runtime, '--threads', String(threads), '--runs', String(options.runs)];
}

async function runOurs(threads) {
  const result = await runNode([ii, ...ourArguments(threads)]);
  const { medianMs, minMs, warmupMs, loadMs, runsMs, peakRssBytes, selection } = result;
  const version = JSON.parse(readFileSync(join(root, 'packages/zoo/package.json'), 'utf8')).version;
  return { runtime: 'ii', version, medianMs, minMs, warmupMs, loadMs, runsMs, peakRssBytes, selection };
}

async function runPeer(peer, threads) {
  const result = await runNode([join(here, 'ort.mjs'), ...peerArguments(peer, threads, options.graph)]);
  const { runtime, version, medianMs, minMs, warmupMs, loadMs, runsMs, peakRssMiB, maxAbsDiff } = result;
  const peakRssBytes = peakRssMiB * 2 ** 20;
  return { runtime, version, medianMs, minMs, warmupMs, loadMs, runsMs, peakRssBytes, maxAbsDiff };
}

function runRegisters(threads) {
  return runNode([join(here, 'registers.mjs'), '--threads', String(threads), '--runs', String(options.runs)]);
}

/** The JSON that a script prints. @param {readonly string[]} args */
async function runNode(args) {
  const { stdout } = await promisify(execFile)(options.node, args, { maxBuffer: 2 ** 24 });
  return JSON.parse(stdout);
}

/** What was run, with the folder of the graph and the paths of this machine left out. */
function commands() {
  const [threads] = options.threads;
  const flags = [
    ...['--graph', 'DIR', '--node', 'NODE', '--device', options.device, '--peers', options.peers.join(',')],
    ...['--threads', options.threads.join(','), '--runs', options.runs, '--rounds', options.rounds],
  ];
  return [
    `node bench/peers/compare.mjs ${flags.join(' ')}`,
    `NODE packages/zoo/bin/ii.js ${ourArguments(threads).join(' ')}`,
    ...options.peers.map((peer) => `NODE bench/peers/ort.mjs ${peerArguments(peer, threads, 'DIR').join(' ')}`),
  ];
}
