import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bytesSource,
  encodeSafetensors,
  readElements,
  readSafetensors,
  storedTensor,
  type SafetensorsFile,
} from '@ii/tensor';
import { openCheckpoint } from '../../src/index.js';
import { ii, iiWith } from '../support.js';

const pth = (name: string): string => fileURLToPath(new URL(`../fixtures/pth/${name}`, import.meta.url));

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ii-convert-'));
  await mkdir(at('folder.safetensors'));
});
afterAll(() => rm(folder, { recursive: true }));

const read = async (path: string): Promise<SafetensorsFile> => readSafetensors(bytesSource(await readFile(path)));

describe('ii convert', () => {
  it.each(['mmseg_style.pth', 'mmseg_style_legacy.pth', 'module_prefix.pth', 'dtypes.pth', 'shared_storage.pth'])(
    'keeps names, types and values of %s',
    async (name) => {
      const out = at('same.safetensors');
      const { status, stdout, stderr } = await ii('convert', pth(name), out, '--json');
      expect([status, stderr]).toEqual([0, '']);
      const original = await openCheckpoint(pth(name));
      const { tensors, metadata } = await read(out);
      expect([...tensors.keys()]).toEqual([...original.tensors.keys()]);
      expect([...tensors.keys()].some((key) => /^(module|state_dict)\./.test(key))).toBe(false);
      for (const [key, tensor] of original.tensors) {
        const copy = tensors.get(key)!;
        expect([copy.dtype, copy.shape]).toEqual([tensor.dtype, tensor.shape]);
        expect(await readElements(copy)).toEqual(await readElements(tensor));
      }
      expect(metadata).toMatchObject({ format: 'pt', origin: `${name} (${original.format})` });
      const report = JSON.parse(stdout) as { bytes: number; tensors: number };
      expect(report.bytes).toBe((await readFile(out)).length);
      expect(report.tensors).toBe(tensors.size);
      await original.close();
    },
  );

  it('keeps what the configuration can be told from', async () => {
    await ii('convert', pth('mmseg_style.pth'), at('meta.safetensors'));
    const { metadata } = await read(at('meta.safetensors'));
    expect(JSON.parse(metadata['CLASSES']!)).toEqual(['wall', 'building', 'sky']);
  });

  it('stores floating-point tensors as f16, and others as they are', async () => {
    const { status, stdout } = await ii('convert', pth('plain_dict.pth'), at('half.safetensors'), '--dtype', 'f16');
    expect(status).toBe(0);
    expect(stdout).toMatch(/half\.safetensors: 5 tensors, [\d,]+ elements, [\d.]+ k?B \(from pth\)\n$/);
    const original = await openCheckpoint(pth('plain_dict.pth'));
    for (const [key, tensor] of (await read(at('half.safetensors'))).tensors) {
      const before = original.tensors.get(key)!;
      expect(tensor.dtype).toBe(before.dtype === 'f32' ? 'f16' : before.dtype);
      const [now, then] = [await readElements(tensor), await readElements(before)];
      for (let i = 0; i < then.length; i++)
        expect(Math.abs(Number(now[i]) - Number(then[i]))).toBeLessThanOrEqual(
          Math.abs(Number(then[i])) * 2 ** -11 + 2 ** -25,
        );
    }
    await original.close();
  });

  it('leaves nothing behind when a value does not fit', async () => {
    const tensors = new Map([['w', storedTensor(new Float32Array([1, 1e6]))]]);
    await writeFile(at('large.safetensors'), await encodeSafetensors(tensors));
    const before = await readdir(folder);
    const { status, stderr } = await ii('convert', at('large.safetensors'), at('out.safetensors'), '--dtype', 'f16');
    expect(status).toBe(1);
    expect(stderr).toMatch(/tensor 'w' holds 1000000 at index 1, beyond the range of f16/);
    expect(await readdir(folder)).toEqual(before);
  });

  it('stops when it is aborted', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    const { status } = await iiWith({ signal }, 'convert', pth('plain_dict.pth'), at('aborted.safetensors'));
    expect(status).toBe(1);
    expect(await readdir(folder)).not.toContain('aborted.safetensors');
  });

  it.each<[string, () => string[], number, RegExp]>([
    ['one argument', () => ['x.pth'], 2, /missing required argument 'out'/],
    ['an output that is no safetensors', () => [pth('plain_dict.pth'), at('x.pth')], 2, /ends in \.safetensors/],
    ['the input as output', () => [at('a.safetensors'), at('a.safetensors')], 2, /is the input itself/],
    [
      'an unknown type',
      () => [pth('plain_dict.pth'), at('x.safetensors'), '--dtype', 'f8'],
      2,
      /Allowed choices are f16, f32/,
    ],
    ['no such file', () => [at('no.pth'), at('x.safetensors')], 1, /there is no such file/],
    ['a cut file', () => [pth('truncated_zip.pth'), at('x.safetensors')], 1, /'truncated_zip\.pth'/],
    ['a file that runs a program', () => [pth('evil_os_system.pth'), at('x.safetensors')], 1, /cannot be loaded/],
    ['no such folder', () => [pth('plain_dict.pth'), at('no/x.safetensors')], 1, /the folder .* does not exist/],
    ['a folder', () => [pth('plain_dict.pth'), at('folder.safetensors')], 1, /it is a directory/],
  ])('%s: refused', async (_, argv, expected, message) => {
    const before = await readdir(folder);
    const { status, stderr } = await ii('convert', ...argv());
    expect(stderr).toMatch(message);
    expect(status).toBe(expected);
    expect(await readdir(folder)).toEqual(before);
  });
});
