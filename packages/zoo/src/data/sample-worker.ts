/** The code of a loader's worker threads: reads, decodes and transforms one sample for each task. */
import { Tinypool } from 'tinypool';
import { compose, loadPair, packSample, SampleError, type ComposedTransform, type PairReader } from '@ii/ade20k';
import { IIError } from '@ii/tensor';
import { nodeAccess } from './node-access.js';
import { toWire, type WorkerReply, type WorkerSetup, type WorkerTask } from './worker-messages.js';

let prepared: { readonly reader: PairReader; readonly transform: ComposedTransform } | undefined;

function prepare(): NonNullable<typeof prepared> {
  const { root, rule, transforms } = Tinypool.workerData as WorkerSetup;
  prepared ??= { reader: { ...nodeAccess(root), rule }, transform: compose(transforms) };
  return prepared;
}

export default async function loadOne({ pair, key }: WorkerTask): Promise<unknown> {
  try {
    const { reader, transform } = prepare();
    const sample = toWire(packSample(transform(await loadPair(reader, pair), key)));
    return moved({ sample }, [sample.image.data.buffer, ...(sample.labels ? [sample.labels.data.buffer] : [])]);
  } catch (error) {
    if (!(error instanceof IIError)) throw error;
    const { code, message } = error;
    const reply: WorkerReply = {
      error: { code, message, ...(error instanceof SampleError && { file: error.file }) },
    };
    return reply;
  }
}

/** A reply whose buffers change hands instead of being copied. */
function moved(reply: WorkerReply, buffers: readonly ArrayBufferLike[]): unknown {
  return Tinypool.move({
    get [Tinypool.transferableSymbol]() {
      return buffers;
    },
    get [Tinypool.valueSymbol]() {
      return reply;
    },
  } as unknown as ArrayBuffer);
}
