/** The training runner in a browser's worker. */
import { expect, test } from 'vitest';
import type { WorkerOutcome } from './train-worker.js';

test('a worker trains, on threads of its own; stopped and gone on with, it ends with the same weights', async () => {
  const worker = new Worker(new URL('./train-worker.ts', import.meta.url), { type: 'module' });
  const result = await new Promise<WorkerOutcome | string>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<WorkerOutcome | string>) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message || 'the worker could not be loaded'));
  });
  worker.terminate();
  if (typeof result === 'string') throw new Error(result);
  expect(result.selection).toContain('2 worker threads');
  expect(result.losses).toHaveLength(6);
  expect(result.losses.every((loss) => loss > 0 && loss < 10)).toBe(true);
  expect(result.validated).toBe(2);
  expect(result.reason).toBe('Error: enough');
  expect(result.whole.length).toBeGreaterThan(10_000);
  expect(result.resumed).toEqual(result.whole);
});
