import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  bytesSource,
  DisposedError,
  encodeSafetensors,
  FormatError,
  IIError,
  readElements,
  storedTensor,
} from '@ii/tensor';
import { afterAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint.js';
import { fileSource } from '../../src/source/file-source.js';
import { checkpoint, dict, storage, tensor, text } from './builder.js';

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/pth/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ii-checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, content: string | Uint8Array) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

describe('openCheckpoint', () => {
  it('tells formats by content, whatever the name', async () => {
    const tensors = new Map([['module.w', storedTensor(Float32Array.of(1, 2))]]);
    const path = file('weights.pth', await encodeSafetensors(tensors, { metadata: { format: 'pt' } }));
    const safe = await openCheckpoint(path);
    expect(safe.format).toBe('safetensors');
    expect(safe.meta).toEqual({ format: 'pt' });
    expect([...(await readElements(safe.tensors.get('w')!))]).toEqual([1, 2]);
    await safe.close();
    const zip = await openCheckpoint(file('zip.safetensors', readFileSync(fixture('plain_zip.pth'))));
    expect(zip.format).toBe('pth');
    await zip.close();
    const legacy = await openCheckpoint(file('legacy.bin', readFileSync(fixture('plain_legacy.pth'))));
    expect(legacy.format).toBe('pth-legacy');
    await legacy.close();
  });

  it('unwraps state_dict and model, and strips module.', async () => {
    const plain = await openCheckpoint(fixture('plain_zip.pth'));
    const names = [...plain.tensors.keys()];
    expect(names[0]).toBe('backbone.patch_embed.conv1.weight');
    for (const name of ['module_prefix.pth', 'model_key.pth', 'mmseg_numpy_meta.pth']) {
      const other = await openCheckpoint(fixture(name));
      expect([...other.tensors.keys()]).toEqual(names);
      for (const key of names) {
        expect(await other.tensors.get(key)!.bytes()).toEqual(await plain.tensors.get(key)!.bytes());
      }
      await other.close();
    }
    await plain.close();
    const mmseg = await openCheckpoint(fixture('mmseg_style.pth'));
    expect(mmseg.meta).toMatchObject({ epoch: 3, iter: 160000, CLASSES: ['wall', 'building', 'sky'] });
    await mmseg.close();
  });

  it('refuses a name that the prefix makes ambiguous', async () => {
    const w = tensor(storage('0', 'IntStorage', 1), [1], [1]);
    const source = checkpoint(dict([text('w'), w], [text('module.w'), w]), { 0: new Uint8Array(4) });
    await expect(openCheckpoint(source)).rejects.toThrow(/'w' both with and without the prefix 'module\.'/);
  });

  it('explains that a bare tensor is no checkpoint', async () => {
    await expect(openCheckpoint(fixture('bare_tensor.pth'))).rejects.toThrow(/one bare tensor without a name/);
  });

  it.each<readonly [string, string | Uint8Array, RegExp]>([
    ['an empty file', '', /'x\.pth' is not a checkpoint: it is empty/],
    ['text', 'Not Found\nat all', /it is text that begins with "Not Found at all"/],
    ['a web page', '<!DOCTYPE html><html><title>403</title>', /it is a web page .* failed downloads/],
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:1', /Git LFS pointer.*git lfs pull/],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0, 0), /compressed with gzip; unpack it/],
    ['zeros', new Uint8Array(5000), /nothing but zeros; a download was probably not finished/],
    [
      'other bytes',
      Uint8Array.of(0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 5),
      /begins with the bytes de ad be ef 01 02 03 04/,
    ],
    ['a tar archive', Uint8Array.from({ length: 600 }, (_, i) => 'ustar'.charCodeAt(i - 257) || 1), /is a tar archive/],
  ])('says what %s looks like', async (_, content, message) => {
    await expect(openCheckpoint(file('x.pth', content))).rejects.toThrow(message);
    await expect(openCheckpoint(file('x.pth', content))).rejects.toThrow(
      /expected a \.pth file of torch\.save or a \.safetensors/,
    );
    await expect(openCheckpoint(file('x.pth', content))).rejects.toThrow(FormatError);
  });

  it('closes the file that it opened, also when it refuses it, and leaves sources open', async () => {
    const open = () => readdirSync('/dev/fd').length;
    const before = open();
    await expect(openCheckpoint(fixture('truncated_zip.pth'))).rejects.toThrow(FormatError);
    expect(open()).toBe(before);
    const opened = await openCheckpoint(fixture('plain_zip.pth'));
    expect(open()).toBe(before + 1);
    await opened.close();
    await opened.close();
    expect(open()).toBe(before);
    const [first] = opened.tensors.values();
    await expect(first!.bytes()).rejects.toThrow(DisposedError);

    const source = bytesSource(readFileSync(fixture('plain_zip.pth')));
    const given = await openCheckpoint(source);
    await given.close();
    const [tensorOfSource] = given.tensors.values();
    expect((await tensorOfSource!.bytes()).length).toBe(4 * 3 * 3 * 3 * 4);
  });
});

describe('fileSource', () => {
  it('reads positions, in files beyond 4 GB too', async () => {
    // A sparse file: it has five gigabytes but takes a few kilobytes of disk.
    const path = file('sparse.bin', 'begin');
    truncateSync(path, 5 * 2 ** 30);
    const source = await fileSource(path);
    expect(source.size).toBe(5 * 2 ** 30);
    expect(source.name).toBe('sparse.bin');
    expect(new TextDecoder().decode(await source.read(1, 3))).toBe('egi');
    expect([...(await source.read(5 * 2 ** 30 - 2, 2))]).toEqual([0, 0]);
    await expect(source.read(5 * 2 ** 30 - 1, 2)).rejects.toThrow(/2 bytes at offset 5368709119/);
    truncateSync(path, 100);
    await expect(source.read(200, 5)).rejects.toThrow(/'sparse\.bin' became shorter/);
    await expect(source.read(0, 5, AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop');
    await source.close();
    await expect(source.read(0, 1)).rejects.toThrow(/was closed/);
  });

  it('explains what cannot be opened', async () => {
    await expect(fileSource(join(folder, 'none.pth'))).rejects.toThrow(
      /cannot open '.*none\.pth': there is no such file/,
    );
    await expect(fileSource(folder)).rejects.toThrow(/it is a folder; name a file in it/);
    await expect(fileSource(folder)).rejects.toMatchObject({ code: 'ERR_FILE' });
    await expect(fileSource('/dev/null')).rejects.toThrow(/not a regular file/);
    await expect(openCheckpoint(join(folder, 'none.pth'))).rejects.toThrow(IIError);
  });
});
