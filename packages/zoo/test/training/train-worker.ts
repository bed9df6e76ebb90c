/** A browser's worker that trains: in one go, then stopped in the middle and gone on with. */
import { createDevice } from '@ii/tensor';
import { memoryDirectory, parseLog, train } from '../../src/training/index.js';
import { pairs, runToEnd, tinyPlan } from './support.js';

/** What the worker answers with. */
export interface WorkerOutcome {
  readonly selection: string;
  readonly losses: readonly number[];
  readonly validated: number;
  /** Bytes of the weights at the end, of the run in one go and of the other one. */
  readonly whole: Uint8Array;
  readonly resumed: Uint8Array;
  readonly reason: string;
}

async function outcome(): Promise<WorkerOutcome> {
  using device = await createDevice('wasm', { threads: 2 });
  const data = { dataset: await pairs('training'), validation: await pairs('validation', 2) };
  const options = () => ({ plan: tinyPlan(), device, ...data, directory: memoryDirectory() });

  const whole = options();
  const { events } = await runToEnd(whole);
  const losses = events.flatMap((event) => (event.type === 'iteration' ? [event.figures.loss] : []));

  const parts = options();
  const controller = new AbortController();
  let reason = '';
  try {
    for await (const event of train({ ...parts, signal: controller.signal })) {
      if (event.type === 'iteration' && event.iteration === 3) controller.abort(new Error('enough'));
    }
  } catch (error) {
    reason = String(error);
  }
  await runToEnd({ ...parts, resume: true });
  const log = new TextDecoder().decode(whole.directory.files.get('train.log.json'));
  return {
    ...{ selection: device.selection, losses, validated: parseLog(log).validation.length, reason },
    whole: whole.directory.files.get('best.safetensors')!,
    resumed: parts.directory.files.get('best.safetensors')!,
  };
}

outcome().then(
  (result) => postMessage(result),
  (error: unknown) => postMessage(String(error)),
);
