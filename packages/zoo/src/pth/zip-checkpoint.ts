import { FormatError, type ByteSource } from '@ii/tensor';
import { buildState, parseStorageId, resolveGlobal, storageElementBytes } from './globals.js';
import type { PickleValue } from './pickle-value.js';
import { TorchStorage } from './torch-tensor.js';
import { maxPickleBytes, unpickle } from './unpickle.js';
import { openZip, type ZipRecord } from './zip-container.js';

/**
 * Reads the zip form of a checkpoint: the records `data.pkl` (a pickle) and `data/KEY` (one per storage) under a root
 * folder of any name. Reads the directory and the pickle; the storages are checked by their sizes only.
 */
export async function readZipCheckpoint(source: ByteSource, signal?: AbortSignal): Promise<PickleValue> {
  const records = await openZip(source, signal);
  const { root, pickle } = findPickle(source, records);
  if (pickle.size > maxPickleBytes) {
    throw new FormatError(`its ${pickle.name} has ${pickle.size} bytes; ${maxPickleBytes} is the limit`);
  }
  await checkByteOrder(records.get(`${root}byteorder`), signal);

  const persistent = (id: PickleValue): PickleValue => {
    const { dtype, key, length } = parseStorageId(id);
    const record = records.get(`${root}data/${key}`);
    if (!record) throw new FormatError(`the record data/${key} of a tensor is missing; the file is incomplete`);
    const needed = length * storageElementBytes(dtype);
    if (needed > record.size) {
      throw new FormatError(
        `the record data/${key} has ${record.size} bytes, shorter than its storage of ${length} ${dtype} elements (${needed} bytes)`,
      );
    }
    return new TorchStorage(record, dtype, length);
  };
  const bytes = await pickle.read(0, pickle.size, signal);
  return unpickle(bytes, { resolve: resolveGlobal, build: buildState, persistent }).value;
}

function findPickle(source: ByteSource, records: ReadonlyMap<string, ZipRecord>): { root: string; pickle: ZipRecord } {
  const pickles = [...records.values()].filter(({ name }) => /^(?:[^/]+\/)?data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (!pickle) {
    const names = [...records.keys()].slice(0, 4).join(', ');
    throw new FormatError(
      `'${source.name}' is a zip archive without data.pkl, so no PyTorch checkpoint; it holds ${names === '' ? 'nothing' : names}`,
    );
  }
  if (pickles.length > 1) {
    throw new FormatError(`there are ${pickles.length} records data.pkl, and it is not clear which is meant`);
  }
  const root = pickle.name.slice(0, -'data.pkl'.length);
  if (records.has(`${root}constants.pkl`)) {
    throw new FormatError(
      `'${source.name}' is a TorchScript program, not a checkpoint; save the weights with torch.save(model.state_dict(), path)`,
    );
  }
  return { root, pickle };
}

/** PyTorch 2 notes the byte order of the machine that saved; older files are little-endian. */
async function checkByteOrder(record: ZipRecord | undefined, signal: AbortSignal | undefined): Promise<void> {
  if (!record) return;
  const order = new TextDecoder().decode(await record.read(0, Math.min(record.size, 16), signal)).trim();
  if (order !== 'little') {
    throw new FormatError(
      `its byte order is '${order}'; only little-endian checkpoints can be read, so save it again on such a machine`,
    );
  }
}
