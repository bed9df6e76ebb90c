import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode } from 'fast-png';
import ndarray from 'ndarray';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  checkWritable,
  decodeImage,
  encodeLabelPng,
  encodeRgbPng,
  WriteError,
  writeFileAtomic,
  writeLabelPng,
  writeRgbPng,
} from '../../src/images/index.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ii-write-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('encoding', () => {
  const image = ndarray(
    Uint8Array.from({ length: 5 * 7 * 3 }, (_, i) => (i * 37) % 256),
    [5, 7, 3],
  );

  it('keeps every RGB pixel, of any layout', async () => {
    expect((await decodeImage(await encodeRgbPng(image))).data).toEqual(image.data);
    const turned = await decodeImage(await encodeRgbPng(image.transpose(1, 0, 2)));
    expect(turned.shape).toEqual([7, 5, 3]);
    for (let y = 0; y < 7; y++)
      for (let x = 0; x < 5; x++) for (let c = 0; c < 3; c++) expect(turned.get(y, x, c)).toBe(image.get(x, y, c));
  });

  it('stores all 256 labels as 8-bit grey', async () => {
    const ids = ndarray(
      Uint8Array.from({ length: 256 }, (_, i) => i),
      [8, 32],
    );
    const png = decode(encodeLabelPng(ids));
    expect(png).toMatchObject({ width: 32, height: 8, channels: 1, depth: 8 });
    expect([...png.data]).toEqual([...ids.data]);
    expect([...decode(encodeLabelPng(ids.transpose(1, 0))).data.subarray(0, 3)]).toEqual([0, 32, 64]);
  });

  it('refuses 16-bit labels', () => {
    const ids = ndarray(new Uint16Array(4), [2, 2]);
    expect(() => encodeLabelPng(ids as never)).toThrow(/8-bit labels/);
  });

  it('writes files that read back, and only those', async () => {
    const picture = join(folder, 'overlay.png');
    const labels = join(folder, 'labels.png');
    await writeRgbPng(picture, image);
    await writeLabelPng(labels, ndarray(new Uint8Array([0, 149, 255, 3]), [2, 2]));
    expect((await decodeImage(picture)).data).toEqual(image.data);
    expect([...decode(await readFile(labels)).data]).toEqual([0, 149, 255, 3]);
    expect((await readdir(folder)).toSorted()).toEqual(['labels.png', 'overlay.png']);
  });
});

describe('writeFileAtomic', () => {
  it('replaces a file, and a reader never sees a part', async () => {
    const path = join(folder, 'x.bin');
    await writeFile(path, new Uint8Array(100_000).fill(1));
    const reads: Promise<Buffer>[] = [];
    const write = writeFileAtomic(path, new Uint8Array(200_000).fill(2));
    for (let i = 0; i < 20; i++) reads.push(readFile(path));
    await write;
    for (const bytes of await Promise.all(reads)) {
      expect(bytes.length).toBe(bytes[0] === 1 ? 100_000 : 200_000);
      expect(bytes.every((byte) => byte === bytes[0])).toBe(true);
    }
    expect((await readFile(path))[0]).toBe(2);
    expect(await readdir(folder)).toEqual(['x.bin']);
  });

  it('leaves nothing behind when it fails', async () => {
    await mkdir(join(folder, 'taken'));
    await expect(writeFileAtomic(join(folder, 'taken'), new Uint8Array(3))).rejects.toThrow(WriteError);
    expect(await readdir(folder)).toEqual(['taken']);
    await expect(writeFileAtomic(join(folder, 'no', 'x.png'), new Uint8Array(3))).rejects.toThrow(
      /cannot write .*x\.png: the folder .*no does not exist; create it first/,
    );
  });
});

describe('checkWritable', () => {
  it('accepts new and existing files and leaves no trace', async () => {
    const path = join(folder, 'x.png');
    await checkWritable(path);
    expect(await readdir(folder)).toEqual([]);
    await writeFile(path, 'old');
    await checkWritable(path);
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['x.png']);
  });

  it('says what stands in the way', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(checkWritable(folder)).rejects.toThrow(/it is a directory; give the path of a file/);
    await expect(checkWritable(join(folder, 'a', 'b.png'))).rejects.toThrow(
      /folder .*a does not exist; create it first/,
    );
    await expect(checkWritable(join(folder, 'file', 'b.png'))).rejects.toThrow(/file is not a folder/);
    await expect(checkWritable(folder)).rejects.toThrow(WriteError);
  });

  it('finds a folder that takes no files', async () => {
    // Permission bits do not stop root, but nobody can make files in /proc.
    const root = process.getuid?.() === 0;
    const closed = root ? '/proc/self' : join(folder, 'closed');
    if (!root) {
      await mkdir(closed);
      await chmod(closed, 0o555);
    }
    await expect(checkWritable(join(closed, 'x.png'))).rejects.toThrow(/^cannot write .*x\.png: /);
  });
});
