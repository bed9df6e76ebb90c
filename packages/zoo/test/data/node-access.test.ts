import { createHash } from 'node:crypto';
import { chmod, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { encode } from 'fast-png';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataset, SampleError } from '@ii/ade20k';
import { decodeAnnotation, nodeAccess, nodeDirectory, openAde20kFolder } from '../../src/data/index.js';
import { laySamplesOut, put, sampleNames, samples, temporaryFolder } from './support.js';

let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => rm(folder, { recursive: true }));

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A PNG chunk by chunk, for bit depths that the encoder does not write. */
function png(width: number, height: number, depth: number, colour: number, rows: number[][], palette?: Uint8Array) {
  const chunk = (type: string, data: Uint8Array): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const frame = Buffer.alloc(4);
    const end = Buffer.alloc(4);
    frame.writeUInt32BE(data.length);
    end.writeUInt32BE(crc32(body));
    return Buffer.concat([frame, body, end]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colour, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    ...(palette ? [chunk('PLTE', palette)] : []),
    chunk('IDAT', deflateSync(Uint8Array.from(rows.flatMap((row) => [0, ...row])))),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

describe('decodeAnnotation', () => {
  it('gives the stored values of the sample annotations', async () => {
    const expected = JSON.parse(await readFile(join(samples, 'expected.json'), 'utf8')) as {
      id: string;
      sha256: { annotation_raw: string };
    }[];
    for (const name of sampleNames) {
      const map = decodeAnnotation(await readFile(join(samples, `${name}.png`)), name);
      expect(sha256(map.data)).toBe(expected.find(({ id }) => id === name)!.sha256.annotation_raw);
    }
  });

  it('gives the indices of palettes and samples of few bits, never colours', () => {
    const decode = (bytes: Uint8Array) => [...decodeAnnotation(bytes, 'a.png').data];
    const grey = new Uint8Array(48).fill(128);
    expect(decode(png(3, 2, 8, 3, [[7, 1, 0], [15, 2, 3]], grey))).toEqual([7, 1, 0, 15, 2, 3]); // prettier-ignore
    expect(decode(png(3, 2, 4, 3, [[0x12, 0x30], [0xf0, 0x10]], grey))).toEqual([1, 2, 3, 15, 0, 1]); // prettier-ignore
    expect(decode(png(5, 1, 2, 0, [[0b00_01_10_11, 0b10_000000]]))).toEqual([0, 1, 2, 3, 2]);
    expect(decode(png(10, 1, 1, 0, [[0b10110010, 0b01000000]]))).toEqual([1, 0, 1, 1, 0, 0, 1, 0, 0, 1]);
    expect(decode(encode({ width: 2, height: 1, data: Uint8Array.of(255, 150), channels: 1 }))).toEqual([255, 150]);
  });

  it('refuses everything else by name', async () => {
    const good = await readFile(join(samples, 'ADE_val_00000001.png'));
    const flipped = Uint8Array.from(good);
    flipped[2000]! ^= 1;
    const decode = (bytes: Uint8Array) => () => decodeAnnotation(bytes, 'folder/a.png');
    const wide = encode({ width: 2, height: 1, data: Uint16Array.of(1, 300), channels: 1, depth: 16 });
    const colour = encode({ width: 1, height: 1, data: Uint8Array.of(1, 2, 3), channels: 3 });
    expect(decode(wide)).toThrow(/^folder\/a.png is a 16-bit PNG; an annotation has 8 bits/);
    expect(decode(colour)).toThrow(/^folder\/a.png is a PNG in colour \(3 channels\)/);
    expect(decode(good.subarray(0, 3000))).toThrow(/^folder\/a.png is truncated or corrupt/);
    expect(decode(flipped)).toThrow(/^folder\/a.png is truncated or corrupt.*CRC/);
    expect(decode(new Uint8Array(0))).toThrow('folder/a.png is empty (0 bytes)');
    expect(decode(await readFile(join(samples, 'ADE_val_00000001.jpg')))).toThrow(/not a PNG.*a JPEG image/);
  });
});

describe('a data set on disk', () => {
  it('reads the sample pairs, also through links and from the folder above', async () => {
    await laySamplesOut(join(folder, 'ADEChallengeData2016'));
    await symlink(join(folder, 'ADEChallengeData2016'), join(folder, 'link'));
    for (const root of [folder, join(folder, 'link')]) {
      const dataset = await openAde20kFolder(root, 'validation');
      expect(dataset.length).toBe(3);
      const { image, labels, originalSize } = await dataset.load(1);
      expect([image.shape, labels!.shape, originalSize]).toEqual([
        [364, 500, 3],
        [364, 500],
        [364, 500],
      ]);
      expect(sha256(image.data)).toBe('f58e9b7c30bad49b98dca79382f50e7dc75392fdb359a98ebc4af5a86b6e7f46');
    }
  });

  it('counts the classes of the sample annotations', async () => {
    await laySamplesOut(folder);
    const report = await (await openAde20kFolder(folder, 'validation')).validate({ photos: 'decode' });
    const expected = JSON.parse(await readFile(join(samples, 'expected.json'), 'utf8')) as {
      annotation: { histogram: Record<string, number> };
    }[];
    const total = (value: number): number =>
      expected.reduce((sum, { annotation }) => sum + (annotation.histogram[value] ?? 0), 0);
    expect(report).toMatchObject({ valid: true, images: 3, annotations: 3, issues: [] });
    expect(report.classes.map(({ pixels }) => pixels)).toEqual(Array.from({ length: 150 }, (_, id) => total(id + 1)));
    expect(report.ignoredShare).toBe(total(0) / (683 * 512 + 500 * 364 + 400 * 300));
  });

  it('sees sizes after the EXIF orientation, from the header as well', async () => {
    const jpeg = await sharp({ create: { width: 6, height: 4, channels: 3, background: 'red' } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const mask = encode({ width: 4, height: 6, data: new Uint8Array(24), channels: 1 });
    await put(folder, { 'p/a.jpg': jpeg, 'm/a.png': mask });
    const dataset = await openDataset({
      ...nodeAccess(folder),
      ...{ images: 'p', annotations: 'm', classNames: ['a'], labels: 'raw' },
    });
    expect((await dataset.load(0)).image.shape).toEqual([6, 4, 3]);
    expect((await dataset.validate()).issues).toEqual([]);
  });

  it('names every bad file', async () => {
    await laySamplesOut(folder);
    const [jpeg, mask] = await Promise.all(
      ['jpg', 'png'].map((end) => readFile(join(samples, `${sampleNames[2]}.${end}`))),
    );
    const grey = (value: number, width = 400): Uint8Array =>
      encode({ width, height: 300, data: new Uint8Array(width * 300).fill(value), channels: 1 });
    const wide = encode({ width: 400, height: 300, data: new Uint16Array(400 * 300), channels: 1, depth: 16 });
    await put(folder, {
      'images/validation/ADE_val_4.jpg': jpeg!,
      'images/validation/ADE_val_5.jpg': jpeg!,
      'annotations/validation/ADE_val_5.png': grey(1, 399),
      'images/validation/ADE_val_6.jpg': jpeg!,
      'annotations/validation/ADE_val_6.png': grey(151),
      'images/validation/ADE_val_7.jpg': jpeg!,
      'annotations/validation/ADE_val_7.png': wide,
      'images/validation/ADE_val_8.jpg': jpeg!.subarray(0, 9000),
      'annotations/validation/ADE_val_8.png': mask!,
      'images/validation/ADE_val_9.jpg': Buffer.from('<html>'),
      'annotations/validation/ADE_val_9.png': mask!,
    });
    const dataset = await openAde20kFolder(folder, 'validation');
    const fail = async (index: number): Promise<string> => {
      const error: unknown = await dataset.load(index).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(SampleError);
      return (error as SampleError).message.replaceAll(join(folder, ''), '');
    };
    expect(await fail(3)).toMatch(
      /^no annotation for \/images\/validation\/ADE_val_4.jpg: cannot read \/annotations\/validation\/ADE_val_4.png \(no such file/,
    );
    expect(await fail(4)).toBe(
      '/annotations/validation/ADE_val_5.png is 399 × 300 pixels, but its photo /images/validation/ADE_val_5.jpg is 400 × 300',
    );
    expect(await fail(5)).toBe(
      '/annotations/validation/ADE_val_6.png has label 151 (120000 pixels); expected 1 to 150, or 0 where unlabelled',
    );
    expect(await fail(6)).toMatch(/^\/annotations\/validation\/ADE_val_7.png is a 16-bit PNG/);
    expect(await fail(7)).toMatch(/^\/images\/validation\/ADE_val_8.jpg is truncated or corrupt/);
    expect(await fail(8)).toMatch(/^\/images\/validation\/ADE_val_9.jpg is not a JPEG.*HTML/);
    const { issues } = await dataset.validate({ photos: 'decode' });
    expect(issues.map(({ kind, file }) => `${kind} ${file.at(-5)}`)).toEqual([
      'missing-annotation 4',
      'size-mismatch 5',
      'label-out-of-range 6',
      'unreadable 7',
      'unreadable 8',
      'unreadable 9',
    ]);
  });

  it('names missing and empty folders', async () => {
    await expect(openAde20kFolder(folder, 'validation')).rejects.toThrow(`no folder ${folder}/images/validation`);
    await put(folder, { 'images/training/readme.txt': Buffer.from('x') });
    await expect(openAde20kFolder(folder, 'training')).rejects.toThrow(`no photos in ${folder}/images/training`);
  });

  it('says which file cannot be read', async () => {
    await laySamplesOut(folder);
    // Permissions do not stop root: there a file that exists but cannot be read stands in.
    const root = process.getuid?.() === 0 ? '/proc/self' : folder;
    if (root === folder) await chmod(join(folder, 'images/validation/ADE_val_00000001.jpg'), 0);
    const path = root === folder ? 'images/validation/ADE_val_00000001.jpg' : 'mem';
    await expect(nodeDirectory(root).read(path)).rejects.toThrow(`${join(root, path)} cannot be read: `);
    await expect(nodeDirectory(root).read('none.jpg')).rejects.toThrow(`no such file: ${join(root, 'none.jpg')}`);
    expect(await nodeDirectory(folder).list('images')).toEqual([]);
    expect(await nodeDirectory(folder).list('elsewhere')).toBeUndefined();
  });
});
