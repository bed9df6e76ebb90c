import { describe, expect, it } from 'vitest';
import { ChunkClaims } from '../src/backends/wasm/chunk-claims.js';
import { claimsOf, HEAP } from '../src/backends/wasm/protocol.js';

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
    for (const sequence of [0, 8191, 8192, -1]) {
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

  it('keeps the claims of a command apart from those of the next', () => {
    expect(claimsOf(1)).toBeGreaterThanOrEqual(claimsOf(0) + 64);
    expect(claimsOf(8191) + 64).toBeLessThanOrEqual(HEAP / 4);
  });
});
