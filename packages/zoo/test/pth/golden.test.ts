import { readdirSync, readFileSync } from 'node:fs';
import { bytesSource, FormatError, readElements, type StoredDType, type StoredTensor } from '@ii/tensor';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint.js';
import { PickleDict, readPth, TorchTensor, type PickleValue } from '../../src/pth/index.js';

interface ExpectedTensor {
  dtype: string;
  shape: number[];
  values: Array<number | boolean | string>;
}

interface Expected {
  expect: 'load' | 'refuse';
  format?: 'zip' | 'legacy';
  tensors?: Record<string, ExpectedTensor>;
  other?: { meta?: object; optimizer_state?: object; optimizer_groups?: object; best_score?: number };
}

const folder = new URL('../fixtures/pth/', import.meta.url);
const expected: Record<string, Expected> = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8'));
const source = (name: string) => bytesSource(readFileSync(new URL(name, folder)), name);

const torchNames: Record<StoredDType, string> = {
  f64: 'float64',
  f32: 'float32',
  f16: 'float16',
  bf16: 'bfloat16',
  i64: 'int64',
  i32: 'int32',
  i16: 'int16',
  i8: 'int8',
  u64: 'uint64',
  u32: 'uint32',
  u16: 'uint16',
  u8: 'uint8',
  bool: 'bool',
};

/** A tensor in the words of expected.json. */
async function inWords(tensor: StoredTensor): Promise<ExpectedTensor> {
  const elements: Iterable<number | bigint> = await readElements(tensor);
  const values = Array.from(elements, (value) => {
    if (tensor.dtype === 'bool') return value !== 0;
    const number = Number(value);
    return Number.isFinite(number) ? number : String(number).replace('Infinity', 'inf').replace('NaN', 'nan');
  });
  return { dtype: torchNames[tensor.dtype], shape: [...tensor.shape], values };
}

/** Anything that was pickled in the words of expected.json. */
async function plain(value: PickleValue | undefined): Promise<unknown> {
  if (value instanceof TorchTensor) return inWords(value);
  if (Array.isArray(value)) return Promise.all(value.map(plain));
  if (!(value instanceof PickleDict)) return value;
  const entries = [...value].map(async ([key, item]) => [String(key), await plain(item)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

const loading = Object.entries(expected).filter(([, { expect: what }]) => what === 'load');
const refused: Record<string, RegExp> = {
  'evil_os_system.pth': /names the Python function 'posix\.system'.*malicious.*nothing of it was run/,
  'evil_os_system_p4.pth': /names the Python function 'posix\.system'.*malicious/,
  'evil_eval.pth': /names the Python function '(?:__builtin__|builtins)\.eval'.*malicious/,
  'evil_getattr.pth': /names the Python function '(?:__builtin__|builtins)\.getattr'.*malicious/,
  'evil_legacy.pth': /names the Python function 'posix\.system'.*malicious/,
  'whole_module.pth':
    /object of the Python class 'torch\.nn\.modules\.container\.Sequential'.*torch\.save\(model\.state_dict\(\)/,
  'truncated_zip.pth': /\(1606 bytes\) is a cut or damaged zip archive: its end is missing/,
  'truncated_tail.pth': /\(2399 bytes\) is a cut or damaged zip archive: its end is missing/,
  'truncated_legacy.pth': /the file is cut: it ends after 1497 bytes, inside storage \d+/,
  'wrong_magic.pth': /its magic number is 4722366482869645213696, not 119547037146038801333356/,
  'not_a_checkpoint.pth': /is a PNG image/,
  'empty.pth': /is empty/,
  'zip_without_data_pkl.pth': /zip archive without data\.pkl.*it holds plain_zip\/data\/0/,
  'missing_storage.pth': /record data\/2 of a tensor is missing/,
  'short_storage.pth': /record data\/0 has \d+ bytes, shorter than its storage of 108 f32 elements \(432 bytes\)/,
  'view_past_end.pth': /a view of size .* reaches element \d+, past the end of its storage/,
  'view_offset_past_end.pth': /offset \d+ on a storage of \d+ f32 elements \(\S+\) reaches element \d+, past the end/,
  'view_negative_size.pth': /has a negative size/,
  'view_negative_stride.pth': /has a negative stride/,
  'view_huge.pth': /has more elements than can exist/,
};

describe('files of torch.save', () => {
  it('are all expected', () => {
    const files = readdirSync(folder).filter((name) => name.endsWith('.pth'));
    expect(files.sort()).toEqual(Object.keys(expected).sort());
    expect([...Object.keys(refused), ...loading.map(([name]) => name)].sort()).toEqual(files.sort());
  });

  it.each(loading)('%s loads exactly', async (name, { format, tensors = {}, other }) => {
    const file = await readPth(source(name));
    expect(file.format).toBe(format);
    expect([...file.tensors.keys()]).toEqual(Object.keys(tensors));
    for (const [key, tensor] of file.tensors) {
      const actual = await inWords(tensor);
      expect({ ...actual, values: [] }, key).toEqual({ ...tensors[key], values: [] });
      // Object.is by toBe: -0 is not 0.
      actual.values.forEach((value, index) => expect(value, `${key}[${index}]`).toBe(tensors[key]?.values[index]));
      expect(actual.values.length).toBe(tensors[key]?.values.length);
    }
    if (other?.meta) expect(file.meta).toMatchObject(other.meta);
    if (other?.best_score) expect(file.meta).toHaveProperty('hook_msgs.best_score', other.best_score);
    const optimizer = file.root instanceof PickleDict ? file.root.get('optimizer') : undefined;
    if (other?.optimizer_state) {
      expect(optimizer).toBeInstanceOf(PickleDict);
      expect(await plain(optimizer)).toMatchObject({
        state: other.optimizer_state,
        param_groups: other.optimizer_groups,
      });
    }
  });

  it.each(Object.entries(refused))('%s is refused: %s', async (name, message) => {
    await expect(readPth(source(name))).rejects.toThrow(message);
    await expect(readPth(source(name))).rejects.toThrow(FormatError);
    await expect(openCheckpoint(source(name))).rejects.toThrow(message);
    await expect(openCheckpoint(source(name))).rejects.toThrow(name);
  });

  it('tell where their tensors were', async () => {
    const wrapper = async (name: string) => (await readPth(source(name))).wrapper;
    expect(await wrapper('mmseg_style.pth')).toBe('state_dict');
    expect(await wrapper('model_key.pth')).toBe('model');
    expect(await wrapper('plain_dict.pth')).toBe('none');
    expect(await wrapper('bare_tensor.pth')).toBe('none');
  });

  it('keep numpy metadata as plain data', async () => {
    const { meta } = await readPth(source('mmseg_numpy_meta.pth'));
    expect(JSON.parse(JSON.stringify(meta))).toMatchObject({
      iter: 16000,
      hook_msgs: { best_score: 0.4786, last_ckpt: 'iter_16000.pth', counts: expect.any(Array) },
    });
  });
});
