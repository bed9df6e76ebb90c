/** Writes checkpoints of any size in the zip form of `torch.save`, with values from a generator. */
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

/** @typedef {{ readonly name: string, readonly shape: readonly number[] }} Entry */

const encoder = new TextEncoder();

/**
 * A file `{'state_dict': {name: tensor, …}}` of f32 tensors, each in a storage of its own.
 *
 * @param {string} path
 * @param {readonly Entry[]} entries
 * @param {(entry: Entry, length: number) => Float32Array} values
 * @returns {Promise<number>} the bytes written
 */
export async function writePth(path, entries, values) {
  const file = await open(path, 'w');
  try {
    /** @type {number[]} */
    const directory = [];
    let position = 0;
    const write = async (/** @type {Uint8Array} */ bytes) => {
      for (let done = 0; done < bytes.length;) done += (await file.write(bytes, done)).bytesWritten;
      position += bytes.length;
    };
    const record = async (/** @type {string} */ name, /** @type {Uint8Array} */ content) => {
      const header = recordHeader(name, content);
      directory.push(...u32(0x02014b50), ...u16(20), ...header.fields, ...zeros(10), ...u32(position), ...header.name);
      await write(Uint8Array.from([...u32(0x04034b50), ...header.fields, ...header.name]));
      await write(content);
    };
    await record('archive/data.pkl', stateDictPickle(entries));
    for (const [key, entry] of entries.entries()) {
      const { buffer, byteOffset, byteLength } = values(entry, lengthOf(entry));
      await record(`archive/data/${key}`, new Uint8Array(buffer, byteOffset, byteLength));
    }
    const count = u16(entries.length + 1);
    const end = [...u32(0x06054b50), ...zeros(4), ...count, ...count, ...u32(directory.length), ...u32(position), 0, 0];
    await write(Uint8Array.from([...directory, ...end]));
    return position;
  } finally {
    await file.close();
  }
}

/** What the local header and the directory say alike of a stored record. @param {string} name @param {Uint8Array} content */
function recordHeader(name, content) {
  const path = encoder.encode(name);
  const size = u32(content.length);
  const checksum = u32(crc32(content));
  // Version, flags, method (stored), time and date, checksum, both sizes, lengths of the name and of the extra field.
  return { name: path, fields: [...u16(20), ...zeros(8), ...checksum, ...size, ...size, ...u16(path.length), 0, 0] };
}

/** @param {readonly Entry[]} entries */
function stateDictPickle(entries) {
  const tensors = entries.flatMap((entry, key) => [...text(entry.name), ...tensor(entry, key)]);
  return Uint8Array.from([0x80, 2, ...dict([...text('state_dict'), ...dict(tensors)]), 0x2e]);
}

/** @param {Entry} entry @param {number} key of its storage */
function tensor(entry, key) {
  const { shape } = entry;
  const strides = shape.map((_, axis) => lengthOf({ ...entry, shape: shape.slice(axis + 1) }));
  const location = [...text('storage'), ...global('torch', 'FloatStorage'), ...text(String(key)), ...text('cpu')];
  const storage = [...tuple([...location, ...integer(lengthOf(entry))]), 0x51];
  const sizes = [...tuple(shape.flatMap(integer)), ...tuple(strides.flatMap(integer))];
  const hooks = [...global('collections', 'OrderedDict'), ...tuple([]), 0x52];
  const rebuild = global('torch._utils', '_rebuild_tensor_v2');
  return [...rebuild, ...tuple([...storage, ...integer(0), ...sizes, 0x89, ...hooks]), 0x52];
}

/** @param {Entry} entry */
function lengthOf({ shape }) {
  return shape.reduce((product, size) => product * size, 1);
}

// Opcodes of pickle protocol 2 that leave one value on the stack.
const tuple = (/** @type {readonly number[]} */ items) => [0x28, ...items, 0x74];
const dict = (/** @type {readonly number[]} */ items) => [0x7d, 0x28, ...items, 0x75];
const integer = (/** @type {number} */ value) => [0x4a, ...u32(value)];
const text = (/** @type {string} */ value) => [0x58, ...u32(value.length), ...encoder.encode(value)];
const global = (/** @type {string} */ module, /** @type {string} */ name) => [
  0x63,
  ...encoder.encode(`${module}\n${name}\n`),
];

const u16 = (/** @type {number} */ value) => [value & 255, (value >>> 8) & 255];
const u32 = (/** @type {number} */ value) => [...u16(value), ...u16(value >>> 16)];
const zeros = (/** @type {number} */ count) => new Array(count).fill(0);
