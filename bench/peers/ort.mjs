/**
 * Latency of onnxruntime on an exported graph, with its answer checked. Prints one JSON line; see README.md.
 *
 *   node ort.mjs --graph DIR [--runtime node|node-webgpu|web] [--threads N] [--runs R]
 */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { fill, writeWeights } from './fill.mjs';
import { tell, timeRuns } from './turns.mjs';

const options = readOptions();
const stem = graphName(options.graph);
const readJson = (/** @type {string} */ kind) =>
  JSON.parse(readFileSync(join(options.graph, `${stem}.${kind}.json`), 'utf8'));
const layout = readJson('weights');
const expected = readJson('expected');

const temporary = mkdtempSync(join(tmpdir(), 'ii-peers-'));
let exitCode = 1;
try {
  // The graph names its weights by a path relative to itself.
  const graph = join(temporary, `${stem}.onnx`);
  const weights = join(temporary, basename(layout.file));
  copyFileSync(join(options.graph, `${stem}.onnx`), graph);
  writeWeights(weights, layout);

  const loading = performance.now();
  const { ort, session } = await load(graph, weights);
  const loadMs = performance.now() - loading;

  const { kind, shape, seed } = parseInput(expected.input);
  const image = new ort.Tensor('float32', fill(kind, shape, seed), shape);
  const [input] = session.inputNames;
  const [output] = session.outputNames;
  let logits;
  const run = async () => {
    const outputs = await session.run({ [input]: image });
    logits = outputs[output];
  };
  const times = await timeRuns({ run, runs: options.runs });

  const maxAbsDiff = largestDifference(logits, expected.samples);
  // Ten times what another float32 implementation differs from the float64 result.
  const tolerance = 10 * expected.torch_float32_max_abs_diff;
  const ok = maxAbsDiff <= tolerance;
  const result = {
    runtime: `onnxruntime-${options.runtime}`,
    version: ort.env.versions[options.runtime.split('-')[0]] ?? ort.env.versions.common,
    graph: stem,
    threads: options.threads,
    loadMs,
    ...times,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    maxAbsDiff,
    tolerance,
    ok,
    node: process.version,
    cpu: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
  };
  if (!ok) console.error(`the logits are off by ${maxAbsDiff}, more than ${tolerance}`);
  await tell(result);
  exitCode = ok ? 0 : 1;
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
// The threads of onnxruntime-web would keep the process alive.
process.exit(exitCode);

function readOptions() {
  const { values } = parseArgs({
    options: {
      graph: { type: 'string' },
      runtime: { type: 'string', default: 'node' },
      threads: { type: 'string', default: '2' },
      runs: { type: 'string', default: '3' },
    },
  });
  const { graph, runtime } = values;
  const threads = Number(values.threads);
  const runs = Number(values.runs);
  const counts = [threads, runs].every((n) => Number.isInteger(n) && n >= 1);
  if (graph === undefined || !['node', 'node-webgpu', 'web'].includes(runtime) || !counts) {
    console.error('usage: node ort.mjs --graph DIR [--runtime node|node-webgpu|web] [--threads N] [--runs R]');
    process.exit(2);
  }
  return { graph, runtime, threads, runs };
}

/** The name, without its ending, of the one ONNX file in a folder. @param {string} folder */
function graphName(folder) {
  const graphs = readdirSync(folder).filter((name) => name.endsWith('.onnx'));
  if (graphs.length !== 1)
    throw new Error(`${folder} holds ${graphs.length} .onnx files; --graph expects a folder with one`);
  return basename(graphs[0], '.onnx');
}

/** An inference session on the CPU, or on the GPU for `node-webgpu`. @param {string} graph @param {string} weights */
async function load(graph, weights) {
  if (options.runtime !== 'web') {
    const { default: ort } = await import('onnxruntime-node');
    const session = await ort.InferenceSession.create(graph, {
      executionProviders: [options.runtime === 'node' ? 'cpu' : 'webgpu'],
      intraOpNumThreads: options.threads,
      interOpNumThreads: 1,
    });
    return { ort, session };
  }
  const ort = await import('onnxruntime-web');
  ort.env.wasm.numThreads = options.threads;
  const session = await ort.InferenceSession.create(readFileSync(graph), {
    executionProviders: ['wasm'],
    externalData: [{ path: basename(weights), data: readFileSync(weights) }],
  });
  return { ort, session };
}

/** Reads "fill('image', [1,3,512,512], seed 999)". @param {string} text */
function parseInput(text) {
  const match = /^fill\('(\w+)', \[([\d, ]+)\], seed (\d+)\)$/.exec(text);
  if (!match) throw new Error(`the expected input "${text}" does not read fill('KIND', [SIZES], seed N)`);
  return { kind: match[1], shape: match[2].split(',').map(Number), seed: Number(match[3]) };
}

/**
 * @param {{ dims: readonly number[], data: Float32Array }} logits `[1, C, H, W]`
 * @param {[c: number, y: number, x: number, value: number][]} samples
 */
function largestDifference({ dims, data }, samples) {
  const [, , height, width] = dims;
  const differences = samples.map(([c, y, x, value]) => Math.abs(data[(c * height + y) * width + x] - value));
  return Math.max(...differences);
}
