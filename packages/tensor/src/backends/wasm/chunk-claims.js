/**
 * Which worker computes which chunks of a command. Each worker begins with its own part, the same share of every
 * command, so that it finds what it wrote in the last kernels in its core's cache instead of another core's. Then it
 * takes what is left of the others' parts.
 */
import { claimsOf } from './protocol.js';

export class ChunkClaims {
  /** @param {Int32Array} words @param {number} thread @param {number} threads */
  constructor(words, thread, threads) {
    this.words = words;
    this.thread = thread;
    this.threads = threads;
    this.at = 0;
    this.chunks = 0;
    this.helped = 0;
  }

  /** @param {number} sequence @param {number} chunks */
  begin(sequence, chunks) {
    this.at = claimsOf(sequence);
    this.chunks = chunks;
    this.helped = 0;
  }

  /** The next chunk for this worker, or -1 when all are claimed. */
  next() {
    for (; this.helped < this.threads; this.helped++) {
      const owner = (this.thread + this.helped) % this.threads;
      const first = Math.floor((owner * this.chunks) / this.threads);
      const end = Math.floor(((owner + 1) * this.chunks) / this.threads);
      // A look leaves the counters in the other cores' caches; a claim does not.
      if (first + Atomics.load(this.words, this.at + owner) >= end) continue;
      const chunk = first + Atomics.add(this.words, this.at + owner, 1);
      if (chunk < end) return chunk;
    }
    return -1;
  }
}
