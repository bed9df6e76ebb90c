/** A browser's pictures in and out, against bytes that are known. */
import ndarray from 'ndarray';
import { describe, expect, test } from 'vitest';
import { IIError } from '../../src/errors.js';
import {
  decodeBlob,
  drawOverlay,
  fromPlatform,
  overlay,
  rgbBytes,
  type LabelMap,
  type PlatformImage,
} from '../../src/image/index.js';
import { randomNumbers } from '../../src/testing/index.js';

const [width, height] = [7, 5];
const rgb = Uint8Array.from(randomNumbers(width * height * 3, { seed: 3, low: 0, high: 256 }));
const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
for (let i = 0; i < width * height; i++) rgba.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i);
const imageData = new ImageData(rgba, width, height);

function paint<C extends OffscreenCanvas | HTMLCanvasElement>(canvas: C): C {
  const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D;
  context.putImageData(imageData, 0, 0);
  return canvas;
}
const offscreen = (): OffscreenCanvas => paint(new OffscreenCanvas(width, height));

async function imageElement(blob: Blob): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  await image.decode();
  return image;
}

describe('fromPlatform', () => {
  const sources: Readonly<Record<string, () => PlatformImage | Promise<PlatformImage>>> = {
    ImageData: () => imageData,
    ImageBitmap: () => createImageBitmap(imageData),
    OffscreenCanvas: offscreen,
    HTMLCanvasElement: () => paint(Object.assign(document.createElement('canvas'), { width, height })),
    'HTMLImageElement of a PNG': async () => imageElement(await offscreen().convertToBlob()),
    VideoFrame: () => new VideoFrame(offscreen(), { timestamp: 0 }),
  };
  test.each(Object.keys(sources))('%s', async (kind) => {
    const pixels = fromPlatform(await sources[kind]!());
    expect(pixels.shape).toEqual([height, width, 3]);
    expect(rgbBytes(pixels, 'test')).toEqual(rgb);
  });

  test('HTMLVideoElement: the frame that is shown, to what its codec keeps', async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 32 });
    const context = canvas.getContext('2d')!;
    context.fillStyle = 'rgb(200, 40, 90)';
    context.fillRect(0, 0, 64, 32);
    const video = Object.assign(document.createElement('video'), { muted: true });
    video.srcObject = canvas.captureStream();
    await video.play();
    const pixels = fromPlatform(video);
    expect(pixels.shape).toEqual([32, 64, 3]);
    [200, 40, 90].forEach((level, c) => expect(Math.abs(pixels.get(16, 32, c) - level)).toBeLessThanOrEqual(4));
    (video.srcObject as MediaStream).getTracks().forEach((track) => track.stop());
  });

  test('an array is given back as it is; what has no pixels is refused', async () => {
    const array = ndarray(rgb, [height, width, 3]);
    expect(fromPlatform(array)).toBe(array);
    const closed = await createImageBitmap(imageData);
    closed.close();
    for (const empty of [new Image(), document.createElement('video'), closed]) {
      expect(() => fromPlatform(empty)).toThrow(/the picture has no pixels; await the load/);
    }
  });
});

describe('decodeBlob', () => {
  test('gives the pixels of a PNG', async () => {
    expect(rgbBytes(await decodeBlob(await offscreen().convertToBlob()), 'test')).toEqual(rgb);
  });

  test('turns a photo as its EXIF orientation says', async () => {
    const canvas = new OffscreenCanvas(32, 16);
    const context = canvas.getContext('2d')!;
    context.fillStyle = 'rgb(250, 0, 0)';
    context.fillRect(0, 0, 16, 16);
    context.fillStyle = 'rgb(0, 0, 250)';
    context.fillRect(16, 0, 16, 16);
    const jpeg = await canvas.convertToBlob({ type: 'image/jpeg', quality: 1 });
    // 6: the picture has to be turned by 90° clockwise, so that what was left is above.
    const turned = withOrientation(new Uint8Array(await jpeg.arrayBuffer()), 6);
    for (const pixels of [await decodeBlob(turned), fromPlatform(await imageElement(turned))]) {
      expect(pixels.shape).toEqual([32, 16, 3]);
      expect(pixels.get(4, 8, 0)).toBeGreaterThan(240);
      expect(pixels.get(28, 8, 2)).toBeGreaterThan(240);
      expect(pixels.get(28, 8, 0)).toBeLessThan(10);
    }
  });

  test('refuses what is no picture', async () => {
    const file = new File(['not a picture'], 'notes.txt', { type: 'text/plain' });
    await expect(decodeBlob(file)).rejects.toThrow("'notes.txt' (text/plain) is not a picture that this browser can");
  });
});

describe('drawOverlay', () => {
  const ids = Uint8Array.from({ length: width * height }, (_, i) => (i % 4 === 3 ? 255 : i % 3));
  const labels: LabelMap = ndarray(ids, [height, width]);
  const palette = [
    [255, 0, 10],
    [0, 128, 255],
    [20, 250, 30],
  ] as const;

  test.each([0, 0.25, 0.5, 1])('as overlay does, within one level, at opacity %f', (opacity) => {
    const canvas = offscreen();
    drawOverlay(canvas, labels, palette, { opacity });
    const drawn = rgbBytes(fromPlatform(canvas), 'test');
    const expected = overlay(ndarray(rgb, [height, width, 3]), labels, palette, { opacity }).data;
    const allowed = opacity === 0 || opacity === 1 ? 0 : 1;
    expect(Math.max(...drawn.map((level, i) => Math.abs(level - expected[i]!)))).toBeLessThanOrEqual(allowed);
  });

  test('stretches to the canvas without mixing classes, whatever state its context is in', () => {
    const canvas = new OffscreenCanvas(3 * width, 2 * height);
    const context = canvas.getContext('2d')!;
    context.translate(5, 5);
    context.globalCompositeOperation = 'destination-over';
    drawOverlay(canvas, labels, palette, { opacity: 1, ignoreIndex: 255 });
    const pixels = fromPlatform(canvas);
    for (let y = 0; y < 2 * height; y++) {
      for (let x = 0; x < 3 * width; x++) {
        const id = ids[(y >> 1) * width + Math.floor(x / 3)]!;
        const colour = id === 255 ? [0, 0, 0] : palette[id]!;
        expect([0, 1, 2].map((c) => pixels.get(y, x, c))).toEqual([...colour]);
      }
    }
  });

  test('refuses a canvas of another kind and ids without a colour', () => {
    const gpu = new OffscreenCanvas(4, 4);
    gpu.getContext('webgpu');
    const two = ndarray(Uint8Array.of(0, 1), [1, 2]);
    expect(() => drawOverlay(gpu, two, palette)).toThrow(IIError);
    expect(() => drawOverlay(offscreen(), ndarray(Uint8Array.of(0, 9), [1, 2]), palette)).toThrow(
      'label 9 at row 0, column 1 has no class',
    );
  });
});

/** A JPEG with an EXIF segment that holds nothing but the orientation. */
function withOrientation(jpeg: Uint8Array<ArrayBuffer>, orientation: number): Blob {
  const tiff = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
  const exif = [...new TextEncoder().encode('Exif'), 0, 0, ...tiff];
  const segment = Uint8Array.of(0xff, 0xe1, 0, exif.length + 2, ...exif);
  return new Blob([jpeg.subarray(0, 2), segment, jpeg.subarray(2)], { type: 'image/jpeg' });
}
