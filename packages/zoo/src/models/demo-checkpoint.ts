import { bytesSource, IIError } from '@ii/tensor';
import { openCheckpoint, type Checkpoint } from '../checkpoint.js';

/**
 * Where the weights of the demonstration model lie: a file of this package, 1.6 MB. Bundlers that know
 * `new URL(…, import.meta.url)` copy it beside their output. A function, as a module may be loaded from where no relative
 * address leads on, such as a blob.
 */
export const demoWeightsUrl = (): URL => new URL('../../models/demo.safetensors', import.meta.url);

export interface DemoCheckpointOptions {
  /** Where the weights are, if they were moved. Default: {@link demoWeightsUrl}. */
  readonly url?: URL | string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens the weights that go with `demoModel.config`, in Node and, fetched, in browsers.
 *
 * ```ts
 * const { tensors } = await openDemoCheckpoint();
 * const model = await createUperNet(demoModel.config, { weights: tensors });
 * ```
 *
 * @throws IIError `ERR_DOWNLOAD` when they cannot be fetched, otherwise as {@link openCheckpoint}; the signal's reason.
 */
export async function openDemoCheckpoint(options: DemoCheckpointOptions = {}): Promise<Checkpoint> {
  const { url = demoWeightsUrl(), signal } = options;
  const { href, pathname, protocol } = new URL(url);
  if (protocol === 'file:') {
    // Imported on use: a browser has no files.
    const { fileURLToPath } = await import('node:url');
    return openCheckpoint(fileURLToPath(href), { signal });
  }
  let bytes: ArrayBuffer;
  try {
    const response = await fetch(href, { signal: signal ?? null });
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`.trim());
    bytes = await response.arrayBuffer();
  } catch (cause) {
    signal?.throwIfAborted();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new IIError('ERR_DOWNLOAD', `cannot fetch the demonstration model's weights from ${href}: ${reason}`, {
      cause,
    });
  }
  return openCheckpoint(bytesSource(new Uint8Array(bytes), pathname.split('/').at(-1)), { signal });
}
