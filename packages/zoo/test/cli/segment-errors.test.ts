import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { encode } from 'fast-png';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StoredTensor } from '@ii/tensor';
import { checkpointOf, ii, tinyConfig } from '../support.js';

const sample = fileURLToPath(
  new URL('../../../ade20k/test/fixtures/ade20k-sample/ADE_val_00000003.jpg', import.meta.url),
);

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ii-segment-errors-'));
  await writeFile(at('tiny.json'), JSON.stringify(tinyConfig));
  await writeFile(at('tiny.safetensors'), await checkpointOf(tinyConfig, 7));
  await sharp(sample).resize(48, 36).jpeg().toFile(at('small.jpg'));
  await sharp(sample).resize(32, 40).png().toFile(at('tall.png'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('ii segment with bad input', () => {
  beforeAll(async () => {
    await writeFile(at('text.jpg'), 'These are words, not a photo.\n');
    await writeFile(at('cut.jpg'), (await readFile(sample)).subarray(0, 9000));
    await writeFile(at('huge.png'), hugePng(30_000, 30_000));
    const missing = (tensors: Map<string, StoredTensor>): void =>
      void tensors.delete('decode_head.fpn_convs.1.bn.weight');
    await writeFile(at('missing.safetensors'), await checkpointOf(tinyConfig, 7, { change: missing }));
    const resnet = (tensors: Map<string, StoredTensor>): void => {
      const [first] = tensors.values();
      tensors.clear();
      tensors.set('layer1.0.conv1.weight', first!);
    };
    await writeFile(at('resnet.safetensors'), await checkpointOf(tinyConfig, 7, { change: resnet }));
    await writeFile(at('typo.json'), JSON.stringify({ ...tinyConfig, numClases: 3 }));
    await mkdir(at('folder.png'), { recursive: true });
  });

  it.each<[string, () => string[], number, RegExp]>([
    ['no such file', () => [at('none.jpg')], 1, /no such file: .*none\.jpg/],
    ['text', () => [at('text.jpg')], 1, /text\.jpg is not a JPEG, PNG or WebP image: its content looks like .*text/],
    ['a truncated JPEG', () => [at('cut.jpg')], 1, /cut\.jpg is truncated or corrupt/],
    ['a huge image', () => [at('huge.png')], 1, /huge\.png is 30000 × 30000 pixels, 900 megapixels; the limit is 134/],
    ['a folder', () => [at('folder.png')], 1, /is a directory/],
    ['no image', () => [], 2, /missing required argument 'image'/],
    [
      'another model',
      () => [at('small.jpg'), '--checkpoint', at('resnet.safetensors')],
      1,
      /'resnet\.safetensors' is not an InternImage segmentation model: it looks like a ResNet/,
    ],
    [
      'another model, named',
      () => [at('small.jpg'), '--checkpoint', at('resnet.safetensors'), '--model', 'T'],
      1,
      /it looks like a ResNet/,
    ],
    [
      'a missing tensor',
      () => [at('small.jpg'), '--checkpoint', at('missing.safetensors'), '--config', at('tiny.json')],
      1,
      /1 missing from the checkpoint:\n +decode_head\.fpn_convs\.1\.bn\.weight/,
    ],
    [
      'a photo as checkpoint',
      () => [at('small.jpg'), '--checkpoint', at('small.jpg')],
      1,
      /'small\.jpg' is not a checkpoint: it is a JPEG image/,
    ],
    [
      'no such checkpoint',
      () => [at('small.jpg'), '--checkpoint', at('no.pth')],
      1,
      /cannot open '.*no\.pth': there is no such file/,
    ],
    [
      'an unknown model',
      () => [at('small.jpg'), '--model', 'internimage-x'],
      2,
      /unknown model 'internimage-x' \(did you mean internimage-/,
    ],
    [
      'missing weights',
      () => [at('small.jpg'), '--model', 'L'],
      1,
      /the weights of internimage-l are not here: download https:\S+upernet_internimage_l_640_160k_ade20k\.pth and pass --checkpoint/,
    ],
    [
      'a wrong key',
      () => [at('small.jpg'), '--checkpoint', at('tiny.safetensors'), '--config', at('typo.json')],
      1,
      /unknown key 'numClases'; did you mean 'numClasses'\?/,
    ],
    [
      'no such device',
      () => [at('small.jpg'), '--device', 'tpu'],
      2,
      /argument 'tpu' is invalid\. Allowed choices are auto, /,
    ],
    [
      'too many threads',
      () => [at('small.jpg'), '--threads', '1000'],
      2,
      /argument '1000' is invalid\. Expected a whole number from 0 to 64/,
    ],
    ['a wrong scale', () => [at('small.jpg'), '--scale', 'big'], 2, /argument 'big' is invalid\. Expected LONGxSHORT/],
    [
      'a wrong opacity',
      () => [at('small.jpg'), '--opacity', '2'],
      2,
      /argument '2' is invalid\. Expected a number from 0 to 1/,
    ],
    ['a wrong seed', () => [at('small.jpg'), '--seed', 'x'], 2, /argument 'x' is invalid/],
    [
      'an unknown option',
      () => [at('small.jpg'), '--labls', 'x.png'],
      2,
      /unknown option '--labls'\n\(Did you mean --labels\?\)/,
    ],
    [
      'a seed for a checkpoint',
      () => [at('small.jpg'), '--checkpoint', 'x', '--seed', '1'],
      2,
      /does not go with --checkpoint/,
    ],
    ['two configurations', () => [at('small.jpg'), '--model', 'T', '--config', 'x'], 2, /both give a configuration/],
    ['a lone configuration', () => [at('small.jpg'), '--config', 'x'], 2, /add --checkpoint FILE/],
    [
      'no such folder',
      () => [at('small.jpg'), '-o', at('no/where.png')],
      1,
      /cannot write .*where\.png: the folder .* does not exist/,
    ],
    ['a file for a folder', () => [at('small.jpg'), '-o', at('tiny.json/x.png')], 1, /tiny\.json is not a folder/],
    [
      'an output that is no PNG',
      () => [at('small.jpg'), '-o', at('x.jpg')],
      2,
      /expected a file name that ends in \.png/,
    ],
    [
      'logits that are no safetensors',
      () => [at('small.jpg'), '--save-logits', at('x.bin')],
      2,
      /ends in \.safetensors/,
    ],
    [
      'a file for several photos',
      () => [at('small.jpg'), at('tall.png'), '-o', at('x.png')],
      2,
      /for 2 images, -o names a folder/,
    ],
    ['the photo as output', () => [at('tall.png'), '--labels', at('tall.png')], 2, /it is one of the photos/],
  ])('%s', async (_, argv, expected, message) => {
    const before = await readdir(folder);
    const text = await ii('segment', '--scale', '64x32', ...argv());
    expect(text.stderr).toMatch(message);
    expect(text.stdout).toBe('');
    expect(text.status).toBe(expected);
    const json = await ii('segment', '--scale', '64x32', ...argv(), '--json');
    expect(json.status).toBe(expected);
    expect(JSON.parse(json.stdout)).toEqual({
      error: { code: expect.stringMatching(/^ERR_/), message: expect.stringMatching(message) },
    });
    expect(await readdir(folder)).toEqual(before);
  });
});

/** The start of a PNG of this size: its header is all that is looked at. */
function hugePng(width: number, height: number): Uint8Array {
  const png = Buffer.from(encode({ width: 1, height: 1, channels: 3, data: new Uint8Array(3) }));
  png.writeUInt32BE(width, 16);
  png.writeUInt32BE(height, 20);
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  return png;
}
