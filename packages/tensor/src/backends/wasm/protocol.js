/**
 * The command queue in shared memory, as the enqueueing thread and the workers see it: a header of counters, then a
 * ring of command slots. Plain JavaScript, because the worker is loaded by URL from the sources as well as from the
 * build. All positions count 32-bit words from the start of the memory.
 */

/** Number of commands enqueued so far, modulo 2³²; workers sleep on it. */
export const HEAD = 256;
/** Number of commands that worker `t` has left behind is at `PROGRESS + t`. */
export const PROGRESS = 272;
export const MAX_THREADS = 64;

/** Whether worker 0 notes when commands begin and end. */
export const TRACING = 384;

/** Number of kernel functions that failed; each worker also posts the reason. */
export const FAILURES = 400;

/** First word of the ring. */
export const RING = 1024;
export const SLOTS = 8192;
export const SLOT_WORDS = 64;

/** Fields of a slot. */
export const FUNCTION = 0;
export const CHUNKS = 1;
/** Chunks done. */
export const DONE = 2;
export const ARGUMENTS = 3;

/** Values of FUNCTION that are no kernel: make the functions of a library known; tell the enqueueing thread. */
export const LOAD = -1;
export const FENCE = -2;

/** First word of the times of each slot's command: begin and end, f64 milliseconds. */
export const TIMES = RING + SLOTS * SLOT_WORDS;

/** First word of each slot's claims: how many chunks of each thread's part are taken. */
export const CLAIMS = TIMES + SLOTS * 4;

/** First byte behind all this: where the heap begins. */
export const HEAP = (CLAIMS + SLOTS * MAX_THREADS) * 4;

/**
 * The first word of command number `sequence`.
 * @param {number} sequence
 */
export const slotOf = (sequence) => RING + ((sequence >>> 0) % SLOTS) * SLOT_WORDS;

/**
 * The first f64 of the times of command number `sequence`, counted in f64s from the start of the memory.
 * @param {number} sequence
 */
export const timesOf = (sequence) => TIMES / 2 + ((sequence >>> 0) % SLOTS) * 2;

/**
 * The first word of the claims of command number `sequence`.
 * @param {number} sequence
 */
export const claimsOf = (sequence) => CLAIMS + ((sequence >>> 0) % SLOTS) * MAX_THREADS;
