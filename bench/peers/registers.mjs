/**
 * What more threads are worth on this machine at the moment: the time of a fixed number of multiply-adds in registers, which
 * threads take from one counter. Nothing in it waits for memory, and threads for each other only at the end.
 *
 *   node registers.mjs --threads N --runs R
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { multiplyAdds } from '../../packages/tensor/dist/backends/wasm/peak.js';
import { tell, timeRuns } from './turns.mjs';

/** Of a fraction of a millisecond each: about two seconds on one thread. */
const CHUNKS = 8000;

if (isMainThread) await measure();
else work();

async function measure() {
  const { values } = parseArgs({ options: { threads: { type: 'string' }, runs: { type: 'string' } } });
  const next = new Int32Array(new SharedArrayBuffer(4));
  const workers = Array.from(
    { length: Number(values.threads) },
    () => new Worker(fileURLToPath(import.meta.url), { workerData: next }),
  );
  const all = () => Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
  await all();
  const run = () => {
    Atomics.store(next, 0, 0);
    const done = all();
    for (const worker of workers) worker.postMessage(null);
    return done;
  };
  const times = await timeRuns({ run, runs: Number(values.runs) });
  await Promise.all(workers.map((worker) => worker.terminate()));
  await tell({ runtime: 'registers', threads: workers.length, ...times });
  process.exit(0);
}

function work() {
  const { run } = multiplyAdds();
  // The engine's slower code first.
  for (let i = 0; i < 100; i++) run();
  parentPort.on('message', () => {
    while (Atomics.add(workerData, 0, 1) < CHUNKS) run();
    parentPort.postMessage(null);
  });
  parentPort.postMessage(null);
}
