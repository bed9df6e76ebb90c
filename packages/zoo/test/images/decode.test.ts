import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { encode } from 'fast-png';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError } from '@ii/tensor';
import { decodeImage, ImageReadError, ImageTooLargeError } from '../../src/images/index.js';

const samples = fileURLToPath(new URL('../../../ade20k/test/fixtures/ade20k-sample/', import.meta.url));
const photo = await readFile(join(samples, 'ADE_val_00000003.jpg'));

const expected = JSON.parse(await readFile(join(samples, 'expected.json'), 'utf8')) as {
  id: string;
  wh: [number, number];
  sha256: { decoded_rgb: string };
}[];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ii-decode-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function pixels(bytes: Uint8Array): Promise<number[]> {
  return [...(await decodeImage(bytes)).data];
}

/** A 16 × 16 JPEG of one colour in four inks: none of the first, 159, 235, and 48 of black, with no profile. */
const CMYK_JPEG = Buffer.from(
  '/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB' +
    'AQEBAQEBAQEBAQEB/8AAFAgAEAAQBEMRAE0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAAKCf/EABQQAQAAAAAAAAAAAAAA' +
    'AAAAAAD/2gAOBEMATQBZAEsAAD8Av4Z/on1PAAAAD//Z',
  'base64',
);

describe('decodeImage', () => {
  it.each(expected)('gives the pixels of OpenCV for $id', async ({ id, wh: [width, height], sha256 }) => {
    const image = await decodeImage(join(samples, `${id}.jpg`));
    expect(image.shape).toEqual([height, width, 3]);
    expect(createHash('sha256').update(image.data).digest('hex')).toBe(sha256.decoded_rgb);
  });

  it('reads bytes like a file, and ignores what follows the end of a JPEG', async () => {
    const fromBytes = await decodeImage(photo);
    const fromFile = await decodeImage(join(samples, 'ADE_val_00000003.jpg'));
    expect(fromBytes.data.length).toBe(400 * 300 * 3);
    expect(Buffer.compare(fromBytes.data, fromFile.data)).toBe(0);
    const trailed = await decodeImage(Buffer.concat([photo, Buffer.from('trailing')]));
    expect(Buffer.compare(trailed.data, fromFile.data)).toBe(0);
  });

  it('makes RGB of grey, with 1, 8 and 16 bits', async () => {
    const eight = encode({ width: 2, height: 1, data: new Uint8Array([10, 200]), channels: 1, depth: 8 });
    expect(await pixels(eight)).toEqual([10, 10, 10, 200, 200, 200]);
    const sixteen = encode({ width: 2, height: 1, data: new Uint16Array([0x12ff, 0x8000]), channels: 1, depth: 16 });
    expect(await pixels(sixteen)).toEqual([0x12, 0x12, 0x12, 0x80, 0x80, 0x80]);
    const one = encode({ width: 3, height: 1, data: new Uint8Array([0b01000000]), channels: 1, depth: 1 });
    expect(await pixels(one)).toEqual([0, 0, 0, 255, 255, 255, 0, 0, 0]);
    const greyJpeg = await sharp(photo).toColourspace('b-w').jpeg().toBuffer();
    const grey = await decodeImage(greyJpeg);
    expect(grey.shape).toEqual([300, 400, 3]);
    expect(grey.get(5, 7, 0)).toBe(grey.get(5, 7, 2));
  });

  it('keeps the high byte of 16-bit colour', async () => {
    const data = new Uint16Array([0x12ff, 0x80ff, 0xffff, 0x00ff, 0x0100, 0x7f80]);
    const png = encode({ width: 2, height: 1, data, channels: 3, depth: 16 });
    expect(await pixels(png)).toEqual([0x12, 0x80, 0xff, 0x00, 0x01, 0x7f]);
  });

  it('drops alpha without blending', async () => {
    const rgba = new Uint8Array([10, 20, 30, 0, 200, 100, 50, 128]);
    expect(await pixels(encode({ width: 2, height: 1, data: rgba, channels: 4 }))).toEqual([10, 20, 30, 200, 100, 50]);
    const greyAlpha = new Uint8Array([10, 0, 200, 128]);
    const png = encode({ width: 2, height: 1, data: greyAlpha, channels: 2 });
    expect(await pixels(png)).toEqual([10, 10, 10, 200, 200, 200]);
  });

  it('reads palettes and WebP', async () => {
    const raw = { raw: { width: 2, height: 1, channels: 3 as const } };
    const colours = new Uint8Array([10, 20, 30, 200, 100, 50]);
    expect(await pixels(await sharp(colours, raw).png({ palette: true }).toBuffer())).toEqual([...colours]);
    expect(await pixels(await sharp(colours, raw).webp({ lossless: true }).toBuffer())).toEqual([...colours]);
  });

  it('turns photos by their EXIF orientation', async () => {
    // Red left, blue right; orientation 6 wants a quarter turn clockwise: red on top.
    const data = new Uint8Array(32 * 16 * 3);
    for (let i = 0; i < 32 * 16; i++) data[i * 3 + (i % 32 < 16 ? 0 : 2)] = 255;
    const jpeg = await sharp(data, { raw: { width: 32, height: 16, channels: 3 } })
      .withMetadata({ orientation: 6 })
      .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
      .toBuffer();
    const image = await decodeImage(jpeg);
    expect(image.shape).toEqual([32, 16, 3]);
    expect(image.get(4, 8, 0)).toBeGreaterThan(250);
    expect(image.get(28, 8, 0)).toBeLessThan(5);
    expect(image.get(28, 8, 2)).toBeGreaterThan(250);
  });

  it('does not apply colour profiles', async () => {
    const png = await sharp(new Uint8Array([200, 100, 50]), { raw: { width: 1, height: 1, channels: 3 } })
      .withIccProfile('p3', { attach: true })
      .png()
      .toBuffer();
    const { data } = await sharp(png, { ignoreIcc: true }).raw().toBuffer({ resolveWithObject: true });
    expect(await pixels(png)).toEqual([...data]);
    expect(await pixels(png)).not.toEqual([...(await sharp(png).raw().toBuffer())]);
  });

  it("converts CMYK by OpenCV's formula", async () => {
    const image = await decodeImage(CMYK_JPEG);
    expect(image.shape).toEqual([16, 16, 3]);
    // 207 = 255 - 48; 79 = 207 - (159 * 207 >> 8); 17 = 207 - (235 * 207 >> 8).
    expect([...image.data.subarray(0, 3)]).toEqual([207, 79, 17]);
  });

  it('reads a single pixel', async () => {
    const png = encode({ width: 1, height: 1, data: new Uint8Array([1, 2, 3]), channels: 3 });
    const image = await decodeImage(png);
    expect(image.shape).toEqual([1, 1, 3]);
    expect([...image.data]).toEqual([1, 2, 3]);
  });
});

describe('decodeImage refuses', () => {
  const put = async (name: string, content: string | Uint8Array): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  };

  it('paths that are no file', async () => {
    await expect(decodeImage(join(folder, 'none.jpg'))).rejects.toThrow(/^no such file: .*none\.jpg$/);
    await expect(decodeImage(join(folder, 'none.jpg'))).rejects.toThrow(ImageReadError);
    await expect(decodeImage(folder)).rejects.toThrow(/is a directory; give the path of an image file/);
    const file = await put('a.txt', 'x');
    await expect(decodeImage(join(file, 'b.jpg'))).rejects.toThrow(/^no such file/);
  });

  it('files that cannot be read', async () => {
    // Permission bits do not stop root, but this file gives nobody its first bytes.
    let path = '/proc/self/mem';
    if (process.getuid?.() !== 0) {
      path = await put('secret.jpg', photo);
      await chmod(path, 0o000);
    }
    await expect(decodeImage(path)).rejects.toThrow(/cannot be read: /);
    await expect(decodeImage(path)).rejects.toThrow(ImageReadError);
  });

  it.each([
    [
      'text',
      'Hello, this is certainly not a photo',
      /photo\.jpg is not a JPEG.*looks like text \("Hello, this is certainly…"\)/,
    ],
    ['a web page', '<!DOCTYPE html><html></html>', /looks like an HTML page/],
    ['a drawing', '<svg xmlns="http://www.w3.org/2000/svg"/>', /looks like an SVG drawing/],
    ['a pointer', 'version https://git-lfs.github.com/spec/v1', /Git LFS pointer/],
    ['a GIF', Buffer.from('GIF89a\x01\0\x01\0', 'latin1'), /looks like a GIF image/],
    ['a PDF', '%PDF-1.7', /looks like a PDF document/],
    ['a checkpoint', Buffer.from('PK\x03\x04\0\0', 'latin1'), /looks like a ZIP archive \(a PyTorch checkpoint/],
    ['noise', Buffer.from('0001f3fe80ff9900', 'hex'), /unknown binary data \(it begins with 00 01 f3 fe 80 ff 99 00\)/],
    ['nothing', '', /photo\.jpg is empty \(0 bytes\)/],
  ])('%s named .jpg', async (_, content, message) => {
    const path = await put('photo.jpg', content);
    await expect(decodeImage(path)).rejects.toThrow(message);
    await expect(decodeImage(path)).rejects.toThrow(FormatError);
  });

  it('truncated images, wherever they end', async () => {
    const progressive = await sharp(photo).jpeg({ progressive: true }).toBuffer();
    const png = await sharp(photo).png().toBuffer();
    const webp = await sharp(photo).webp().toBuffer();
    for (const whole of [photo, progressive, png, webp]) {
      for (const length of [30, 400, whole.length >> 1, whole.length - 20]) {
        await expect(decodeImage(whole.subarray(0, length), { name: 'cut' })).rejects.toThrow(FormatError);
      }
    }
    await expect(decodeImage(photo.subarray(0, 9000), { name: 'cut.jpg' })).rejects.toThrow(
      /^cut\.jpg is truncated or corrupt: get the whole file again \(.*premature end/,
    );
  });

  it('absurd sizes from the header alone', async () => {
    const png = Buffer.from(encode({ width: 1, height: 1, data: new Uint8Array(3), channels: 3 }));
    png.writeUInt32BE(30_000, 16);
    png.writeUInt32BE(30_000, 20);
    png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
    const jpeg = Buffer.from(photo);
    const frame = jpeg.indexOf(Buffer.from('ffc0', 'hex'));
    jpeg.writeUInt16BE(30_000, frame + 5);
    jpeg.writeUInt16BE(30_000, frame + 7);
    for (const bytes of [png, jpeg]) {
      const before = performance.now();
      await expect(decodeImage(bytes, { name: 'huge' })).rejects.toThrow(
        'huge is 30000 × 30000 pixels, 900 megapixels; the limit is 134 megapixels: make the image smaller, or raise maxPixels',
      );
      expect(performance.now() - before).toBeLessThan(2000);
      await expect(decodeImage(bytes)).rejects.toThrow(ImageTooLargeError);
    }
  });

  it("images above a limit of one's own", async () => {
    await expect(decodeImage(photo, { maxPixels: 400 * 300 - 1 })).rejects.toThrow(
      /image is 400 × 300 pixels, 0\.1 mega/,
    );
    expect((await decodeImage(photo, { maxPixels: 400 * 300 })).shape).toEqual([300, 400, 3]);
  });
});
