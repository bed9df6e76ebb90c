import { describe, expect, it } from 'vitest';
import { ChunkClaims } from '../src/backends/wasm/chunk-claims.js';
import { claimsOf, HEAP, MAX_THREADS, SLOTS, TIMES } from '../src/backends/wasm/protocol.js';

/** The claims of `threads` workers on one command. */
function claimsOn(sequence: number, chunks: number, threads: number): ChunkClaims[] {
  const words = new Int32Array(HEAP / 4);
  return Array.from({ length: threads }, (_, thread) => {
    const claims = new ChunkClaims(words, thread, threads);
    claims.begin(sequence, chunks);
    return claims;
  });
}

function all(claims: ChunkClaims): number[] {
  const chunks = [];
  for (let chunk = claims.next(); chunk !== -1; chunk = claims.next()) chunks.push(chunk);
  return chunks;
}

describe('chunk claims', () => {
  it('gives each worker its own part of every command while all keep pace', () => {
    for (const sequence of [0, SLOTS - 1, SLOTS, -1]) {
      const workers = claimsOn(sequence, 7, 3);
      const rounds = [0, 1].map(() => workers.map((claims) => claims.next()));
      expect(rounds).toEqual([
        [0, 2, 4],
        [1, 3, 5],
      ]);
      expect(workers.map((claims) => claims.next())).toEqual([6, -1, -1]);
    }
  });

  it('lets a worker that is done help the others, the next one first', () => {
    const [, second, third] = claimsOn(5, 9, 3);
    expect(third!.next()).toBe(6);
    expect(all(second!)).toEqual([3, 4, 5, 7, 8, 0, 1, 2]);
    expect(all(third!)).toEqual([]);
  });

  it('hands out every chunk once where there are fewer than workers', () => {
    for (const chunks of [1, 2, 5]) {
      const taken = claimsOn(1, chunks, 8).map((claims) => claims.next());
      expect(taken.filter((chunk) => chunk >= 0).toSorted((a, b) => a - b)).toEqual([...Array(chunks).keys()]);
    }
  });

  it('gives every slot words of its own, between the times and the heap', () => {
    const places = Array.from({ length: SLOTS }, (_, sequence) => claimsOf(sequence));
    expect(places[0]).toBeGreaterThanOrEqual(TIMES + 4 * SLOTS);
    for (let i = 1; i < SLOTS; i++) expect(places[i]! - places[i - 1]!).toBeGreaterThanOrEqual(MAX_THREADS);
    expect(places.at(-1)! + MAX_THREADS).toBeLessThanOrEqual(HEAP / 4);
    expect(claimsOf(SLOTS)).toBe(places[0]);
  });
});
