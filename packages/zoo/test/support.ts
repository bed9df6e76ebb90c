import { Writable } from 'node:stream';
import { createDevice, encodeSafetensors, type StateDict, type StoredTensor } from '@ii/tensor';
import { UperNet, type UperNetConfig } from '@ii/upernet';
import { main } from '../src/cli/main.js';
import type { CliStream } from '../src/cli/output.js';

/** A model of the T kind that runs in milliseconds. */
export const tinyConfig: UperNetConfig = {
  backbone: { channels: 16, depths: [1, 1, 1, 1], groups: [1, 2, 4, 8], layerScale: 1 },
  decodeHead: { channels: 16 },
  auxiliaryHead: { channels: 8 },
  numClasses: 150,
};

/** Names and shapes of a model, without weights. */
export function shapesOf(config: UperNetConfig): Map<string, StoredTensor> {
  return new Map(
    [...new UperNet(config).namedState()].map(([name, { shape, dtype }]): [string, StoredTensor] => [
      name,
      { dtype, shape, bytes: () => Promise.reject(new Error(`${name} was read`)) },
    ]),
  );
}

/** A safetensors file of a model with weights drawn from a seed, after `change`. */
export async function checkpointOf(
  config: UperNetConfig,
  seed: number,
  {
    change,
    metadata,
  }: { change?: (tensors: Map<string, StoredTensor>) => void; metadata?: Record<string, string> } = {},
): Promise<Uint8Array> {
  const device = await createDevice('reference');
  const network = new UperNet(config);
  network.initialize(device, seed);
  const tensors = new Map<string, StoredTensor>(network.stateDict() as StateDict);
  change?.(tensors);
  const file = await encodeSafetensors(tensors, { metadata });
  network.dispose();
  device.dispose();
  return file;
}

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the `ii` command in this process. */
export async function ii(...argv: readonly string[]): Promise<Ran> {
  return iiWith({}, ...argv);
}

/** As {@link ii}, aborted by a signal, on what looks like a terminal, or told when something is printed on stderr. */
export async function iiWith(
  {
    signal = new AbortController().signal,
    isTTY = false,
    onStderr = () => {},
  }: { readonly signal?: AbortSignal; readonly isTTY?: boolean; readonly onStderr?: () => void },
  ...argv: readonly string[]
): Promise<Ran> {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written): CliStream =>
    Object.assign(
      new Writable({
        write(chunk: Buffer, _, done) {
          written[name] += chunk.toString();
          if (name === 'stderr') onStderr();
          done();
        },
      }),
      { isTTY, columns: 120 },
    );
  const status = await main(argv, { stdout: stream('stdout'), stderr: stream('stderr'), signal });
  return { status, ...written };
}
