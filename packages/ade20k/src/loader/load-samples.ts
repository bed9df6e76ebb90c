import { SampleError } from '../dataset/index.js';
import type { Sample } from '../sample.js';
import type { SampleRef } from '../sampler.js';

/** A loaded sample and what was asked for. */
export interface LoadedSample {
  readonly ref: SampleRef;
  readonly sample: Sample;
}

/** Options of {@link loadSamples}. */
export interface SampleLoaderOptions {
  /** What to load, in order; may be endless. */
  readonly sampler: Iterable<SampleRef>;
  /** Loads one sample. Its result must depend on the reference alone, as it may run anywhere and in any order. */
  readonly load: (ref: SampleRef) => Promise<Sample>;
  /** Samples being loaded or waiting at any time, at least 1; memory is bounded by it. Default 8. */
  readonly prefetch?: number;
  /**
   * What to do about an entry that is unusable ({@link SampleError}): `throw` ends the iteration with the error, `skip`
   * leaves the entry out, and the next takes its place. Other errors always end it. Default `throw`.
   */
  readonly onError?: 'throw' | 'skip';
  /** Called for each entry left out. */
  readonly onSkip?: (error: SampleError, ref: SampleRef) => void;
  /** After so many entries left out in a row the iteration fails after all. Default 100. */
  readonly maxSkips?: number;
  /** Ends the iteration at once, with the signal's reason. */
  readonly signal?: AbortSignal;
}

type Outcome = { readonly sample: Sample } | { readonly error: unknown };

/**
 * Loads samples ahead of their use and gives them in the order of the sampler, however long each takes.
 *
 * @throws SampleError for an unusable entry with `onError: 'throw'`, or after `maxSkips` of them in a row; the signal's
 *   reason when it aborts; and what `load` throws otherwise.
 */
export async function* loadSamples(options: SampleLoaderOptions): AsyncGenerator<LoadedSample, void, void> {
  const { sampler, load, prefetch = 8, onError = 'throw', onSkip, maxSkips = 100, signal } = options;
  const queue: { readonly ref: SampleRef; readonly outcome: Promise<Outcome> }[] = [];
  const refs = sampler[Symbol.iterator]();
  let exhausted = false;
  const fill = (): void => {
    while (!exhausted && queue.length < Math.max(prefetch, 1)) {
      const { value: ref, done } = refs.next() as IteratorResult<SampleRef, undefined>;
      if (done || ref === undefined) exhausted = true;
      // A failure is kept as a value, so that nobody needs to be waiting for it.
      else queue.push({ ref, outcome: settle(load, ref) });
    }
  };

  let skips = 0;
  try {
    for (;;) {
      signal?.throwIfAborted();
      fill();
      const head = queue.shift();
      if (head === undefined) return;
      const outcome = await unlessAborted(head.outcome, signal);
      if ('sample' in outcome) {
        skips = 0;
        // The place that is free now is used while the caller works.
        fill();
        yield { ref: head.ref, sample: outcome.sample };
        continue;
      }
      const { error } = outcome;
      if (!(error instanceof SampleError) || onError === 'throw') throw error;
      onSkip?.(error, head.ref);
      if (++skips >= maxSkips) {
        throw new SampleError(`${skips} unusable entries in a row, the last: ${error.message}`, error.file, {
          cause: error,
        });
      }
    }
  } finally {
    refs.return?.();
  }
}

async function settle(load: SampleLoaderOptions['load'], ref: SampleRef): Promise<Outcome> {
  try {
    return { sample: await load(ref) };
  } catch (error) {
    return { error };
  }
}

/**
 * Waits for `promise`, but no longer than until the signal aborts. The listener goes as soon as the wait is over: a
 * signal may live as long as a training run, and waits are many.
 */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  signal.throwIfAborted();
  let onAbort = (): void => undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      onAbort = () => reject(signal.reason as Error);
      signal.addEventListener('abort', onAbort);
      promise.then(resolve, reject);
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
