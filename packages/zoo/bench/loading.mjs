/**
 * From a checkpoint on disk to the first label map: a `.pth` as large as InternImage-T's official one (236 MB) is written
 * to a temporary folder. The file is in the system's cache, so reading it whole says how fast bytes can be copied here.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDevice, Random } from '@ii/tensor';
import { rgbImage } from '@ii/tensor/image';
import { createUperNet, UperNet } from '@ii/upernet';
import { getModel, openCheckpoint } from '@ii/zoo';
import { writePth } from './write-pth.mjs';

/** @import { StateDict } from '@ii/tensor' */

const RUNS = 5;
const THREADS = 2;
const { config } = getModel('T');

const folder = await mkdtemp(join(tmpdir(), 'ii-bench-'));
try {
  const path = join(folder, 'model.pth');
  // Checkpoints may lack the batch counters.
  const state = [...new UperNet(config).namedState()].filter(([, { dtype }]) => dtype === 'f32');
  const entries = state.map(([name, { shape }]) => ({ name, shape }));
  const bytes = await writePth(path, entries, ({ name }, length) => weights(name, length));
  const print = (/** @type {string} */ name, /** @type {object} */ line) =>
    console.log(JSON.stringify({ bench: 'loading', name, bytes, node: process.version, ...line }));
  await compareReads(path, bytes, print);
  await firstResult(path, bytes, print);
} finally {
  await rm(folder, { recursive: true });
}

/** @typedef {(name: string, line: object) => void} Print */

/**
 * The steps of loading and a plain read of the file, in turns.
 *
 * @param {string} path @param {number} bytes @param {Print} print
 */
async function compareReads(path, bytes, print) {
  const device = await createDevice('wasm', { threads: 0, experimentalSimd: true });
  const withCheckpoint = async (/** @type {(tensors: StateDict) => Promise<void>} */ use) => {
    const checkpoint = await openCheckpoint(path);
    await use(checkpoint.tensors);
    await checkpoint.close();
  };
  /** @type {[name: string, work: () => Promise<unknown>][]} */
  const cases = [
    ['the file read whole', () => readFile(path)],
    ['opened: directory and pickle', () => withCheckpoint(async () => {})],
    [
      'every tensor read',
      () =>
        withCheckpoint(async (tensors) => {
          for (const tensor of tensors.values()) await tensor.bytes();
        }),
    ],
    [
      'into a model',
      () => withCheckpoint(async (tensors) => (await createUperNet(config, { weights: tensors, device })).dispose()),
    ],
  ];
  const times = cases.map(() => /** @type {number[]} */ ([]));
  for (let run = 0; run < RUNS; run++) {
    for (const [i, [, work]] of cases.entries()) times[i]?.push(await milliseconds(work));
  }
  device.dispose();
  for (const [i, [name]] of cases.entries()) {
    const ms = median(times[i] ?? []);
    print(name, { ms: rounded(ms), ...(!name.startsWith('opened') && { gbps: rounded(bytes / ms / 1e6) }) });
  }
}

/** @param {string} path @param {number} bytes @param {Print} print */
async function firstResult(path, bytes, print) {
  const image = rgbImage([512, 512], new Uint8Array(512 * 512 * 3).fill(127));
  const start = performance.now();
  const checkpoint = await openCheckpoint(path);
  const model = await createUperNet(config, {
    weights: checkpoint.tensors,
    device: 'wasm',
    threads: THREADS,
    experimentalSimd: true,
  });
  await checkpoint.close();
  const loadMs = performance.now() - start;
  // The first photo prepares the weights, the second is recorded, the third is replayed.
  const warmupMs = await milliseconds(() => model.segment(image));
  await model.segment(image);
  const laterMs = await milliseconds(() => model.segment(image));
  model.dispose();
  print(`from the file to the labels of a 512×512 photo, ${THREADS} threads`, {
    ...{ ms: rounded(loadMs + warmupMs), loadMs: rounded(loadMs), loadGbps: rounded(bytes / loadMs / 1e6) },
    ...{ warmupMs: rounded(warmupMs), laterMs: rounded(laterMs) },
  });
}

/** Small, and positive where a variance must be. @param {string} name @param {number} length */
function weights(name, length) {
  const random = new Random(0, name);
  if (name.endsWith('running_var')) return new Float32Array(length).fill(1);
  return Float32Array.from({ length }, () => random.uniform(-0.02, 0.02));
}

/** @param {() => Promise<unknown>} work */
async function milliseconds(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** @param {readonly number[]} values an odd number of them */
function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

/** @param {number} value */
function rounded(value) {
  return Number(value.toPrecision(4));
}
