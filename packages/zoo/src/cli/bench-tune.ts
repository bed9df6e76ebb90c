import type { Device } from '@ii/tensor';
import type { Session } from './session.js';
import { stoppable } from './stoppable.js';

/** Measures the launch parameters of what `work` enqueues, which the device takes from then on. */
export async function tuneTask(device: Device, work: () => unknown, { progress, signal }: Session): Promise<void> {
  const onProgress = ({ done, total }: { done: number; total: number }): void => progress.show('tuning', done, total);
  await stoppable(device.tune(work, { signal, onProgress }), signal);
  progress.clear();
}
