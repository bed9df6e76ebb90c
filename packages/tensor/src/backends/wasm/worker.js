/**
 * One worker of the CPU device: takes the commands of the queue in order, claims chunks of each, and goes on when all
 * chunks are done. It never returns to its event loop; the device ends it by terminating it.
 */
import { ChunkClaims } from './chunk-claims.js';
import {
  ARGUMENTS,
  CHUNKS,
  DONE,
  FAILURES,
  FENCE,
  FUNCTION,
  HEAD,
  LOAD,
  PROGRESS,
  TRACING,
  slotOf,
  timesOf,
} from './protocol.js';
import { kernelFunctions } from './library.js';

/** Polls before a worker goes to sleep: about a millisecond, longer than the gaps between enqueued kernels. */
const SPINS = 20_000;

const port = globalThis.process?.getBuiltinModule?.('node:worker_threads')?.parentPort;
const post = port ? port.postMessage.bind(port) : globalThis.postMessage.bind(globalThis);

/** @param {{ memory: WebAssembly.Memory, thread: number, threads: number }} start */
function work({ memory, thread, threads }) {
  // The queue lies below the heap, so that this view stays valid when the memory grows.
  const words = new Int32Array(memory.buffer);
  const times = new Float64Array(memory.buffer);
  /** @type {import('./library.js').KernelFunction[]} */
  const functions = [];
  const claims = new ChunkClaims(words, thread, threads);
  let sequence = Atomics.load(words, HEAD);
  Atomics.store(words, PROGRESS + thread, sequence);
  post({ ready: true });

  /**
   * Returns when the word is no longer `value`. A late notification of an earlier change may wake it too soon, hence
   * the loop.
   * @param {number} index
   * @param {number} value
   */
  const awaitChange = (index, value) => {
    for (let i = 0; i < SPINS; i++) if (Atomics.load(words, index) !== value) return;
    while (Atomics.load(words, index) === value) Atomics.wait(words, index, value);
  };

  /** @param {number} slot @param {number} count */
  const complete = (slot, count) => {
    const total = Atomics.load(words, slot + CHUNKS);
    if (Atomics.add(words, slot + DONE, count) + count === total) Atomics.notify(words, slot + DONE);
  };

  for (;;) {
    awaitChange(HEAD, sequence);
    const slot = slotOf(sequence);
    const operation = Atomics.load(words, slot + FUNCTION);
    const chunks = Atomics.load(words, slot + CHUNKS);
    const tracing = thread === 0 && Atomics.load(words, TRACING) !== 0;
    if (tracing) times[timesOf(sequence)] = performance.now();
    if (operation === LOAD) {
      const start = Atomics.load(words, slot + ARGUMENTS) >>> 0;
      const bytes = new Uint8Array(memory.buffer).slice(start, start + Atomics.load(words, slot + ARGUMENTS + 1));
      functions.push(...kernelFunctions(new WebAssembly.Module(bytes), memory));
      complete(slot, 1);
    } else if (operation === FENCE) {
      if (thread === 0) {
        post({ fence: Atomics.load(words, slot + ARGUMENTS) });
        complete(slot, 1);
      }
    } else {
      const args = (slot + ARGUMENTS) * 4;
      claims.begin(sequence, chunks);
      let count = 0;
      for (let chunk = claims.next(); chunk !== -1; chunk = claims.next()) {
        try {
          functions[operation]?.(args, chunk, thread);
        } catch (error) {
          Atomics.add(words, FAILURES, 1);
          post({ error: String(error), operation });
        }
        count++;
      }
      if (count > 0) complete(slot, count);
    }
    for (let done = Atomics.load(words, slot + DONE); done !== chunks; done = Atomics.load(words, slot + DONE)) {
      awaitChange(slot + DONE, done);
    }
    if (tracing) times[timesOf(sequence) + 1] = performance.now();
    sequence = (sequence + 1) | 0;
    Atomics.store(words, PROGRESS + thread, sequence);
  }
}

if (port) port.once('message', work);
else globalThis.addEventListener('message', (event) => work(event.data), { once: true });
