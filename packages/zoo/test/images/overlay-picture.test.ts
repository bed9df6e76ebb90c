import { createHash } from 'node:crypto';
import ndarray, { type NdArray } from 'ndarray';
import { describe, expect, it } from 'vitest';
import { legend, overlay, type Palette } from '@ii/tensor/image';
import { decodeImage, renderOverlayPicture } from '../../src/images/index.js';
import { footerPanel, formatShare, legendPanel, THEMES } from '../../src/images/legend-panel.js';
import { fitText, textPaths, textWidth, wrapText } from '../../src/images/stroke-font.js';

const names = Array.from({ length: 40 }, (_, id) => `class ${id}`);
const palette: Palette = names.map((_, id) => [id * 6, 255 - id * 6, (id * 53) % 256]);
const photoOf = (height: number, width: number): NdArray<Uint8Array> =>
  ndarray(
    Uint8Array.from({ length: height * width * 3 }, (_, i) => (i * 7) % 251),
    [height, width, 3],
  );
const stripes = (height: number, width: number, classes: number): NdArray<Uint8Array> =>
  ndarray(
    Uint8Array.from({ length: height * width }, (_, i) => Math.floor(((i % width) * classes) / width)),
    [height, width],
  );

async function render(height: number, width: number, classes: number, more: object = {}): Promise<NdArray<Uint8Array>> {
  const options = { image: photoOf(height, width), labels: stripes(height, width, classes), names, palette, ...more };
  return decodeImage(await renderOverlayPicture(options));
}

/** Pixels in the region that differ from the background. */
function inked(image: NdArray<Uint8Array>, background: readonly number[], x0: number, y0: number): number {
  let count = 0;
  for (let y = y0; y < image.shape[0]!; y++)
    for (let x = x0; x < image.shape[1]!; x++)
      if (background.some((level, c) => Math.abs(image.get(y, x, c) - level) > 40)) count++;
  return count;
}

describe('renderOverlayPicture', () => {
  it('has the exact overlay at the top left and a legend beside it', async () => {
    const picture = await render(400, 600, 5);
    expect(picture.shape[0]).toBe(400);
    expect(picture.shape[1]).toBeGreaterThan(700);
    const expected = overlay(photoOf(400, 600), stripes(400, 600, 5), palette);
    const corner = ndarray(picture.data, [400, 600, 3], picture.stride);
    for (let y = 0; y < 400; y += 3)
      for (let x = 0; x < 600; x += 7)
        for (let c = 0; c < 3; c++) expect(corner.get(y, x, c)).toBe(expected.get(y, x, c));
    expect(inked(picture, [255, 255, 255], 600, 0)).toBeGreaterThan(1000);
  });

  it('shows the full colour of every class in the legend', async () => {
    const picture = await render(400, 600, 5);
    const seen = new Set<string>();
    for (let y = 0; y < 400; y++)
      for (let x = 600; x < picture.shape[1]!; x++) seen.add([0, 1, 2].map((c) => picture.get(y, x, c)).join());
    for (const colour of palette.slice(0, 5)) expect(seen).toContain(colour.join());
    expect(seen).not.toContain(palette[5]!.join());
  });

  it('puts the legend below a panorama', async () => {
    const picture = await render(200, 900, 7);
    expect(picture.shape[1]).toBe(900);
    expect(picture.shape[0]).toBeGreaterThan(260);
  });

  it('enlarges tiny photos by whole factors', async () => {
    const picture = await render(3, 4, 2);
    const expected = overlay(photoOf(3, 4), stripes(3, 4, 2), palette);
    expect(picture.shape[0]).toBe(240);
    for (const [y, x] of [
      [0, 0],
      [1, 3],
      [2, 2],
    ] as const)
      for (const edge of [0, 79]) expect(picture.get(y * 80 + edge, x * 80 + edge, 1)).toBe(expected.get(y, x, 1));
    const pixel = await render(1, 1, 1);
    expect(pixel.shape[0]).toBe(320);
  });

  it('has room for a caption and a warning', async () => {
    const plain = await render(300, 400, 3);
    const captioned = await render(300, 400, 3, { caption: 'InternImage-T', warning: 'random weights' });
    expect(captioned.shape[1]).toBe(plain.shape[1]);
    expect(captioned.shape[0]! - plain.shape[0]!).toBeGreaterThan(50);
    expect([0, 1, 2].map((c) => captioned.get(plain.shape[0]! + 3, 5, c))).toEqual([255, 241, 204]);
    expect(inked(captioned, [255, 241, 204], 0, plain.shape[0]!)).toBeGreaterThan(200);
  });

  it('is dark when asked', async () => {
    const picture = await render(300, 400, 3, { theme: 'dark' });
    expect([0, 1, 2].map((c) => picture.get(299, picture.shape[1]! - 1, c))).toEqual([...THEMES.dark.background]);
  });

  it('renders the same bytes twice', async () => {
    const digest = async (): Promise<string> =>
      createHash('sha256')
        .update((await render(120, 160, 12)).data)
        .digest('hex');
    expect(await digest()).toBe(await digest());
  });

  it('passes on the errors of overlay and legend', async () => {
    await expect(render(10, 10, 3, { palette: palette.slice(0, 2) })).rejects.toThrow(/label 2 at row 0, column 7/);
    await expect(render(10, 10, 3, { labels: stripes(5, 10, 3) })).rejects.toThrow(/image is 10 × 10/);
  });
});

describe('legendPanel', () => {
  const content = (classes: number): ReturnType<typeof legend> => legend(stripes(10, 400, classes), names, palette);
  const swatches = (svg: string): number => svg.match(/<rect[^>]*rx=/g)?.length ?? 0;

  it('sums up what is beyond the limit', () => {
    expect(swatches(legendPanel(content(40), { beside: 500 }, 16, 30, THEMES.light).svg)).toBe(30);
    expect(swatches(legendPanel(content(30), { beside: 500 }, 16, 30, THEMES.light).svg)).toBe(30);
  });

  it('takes a second column before it outgrows the photo, and grows after that', () => {
    const narrow = legendPanel(content(12), { beside: 500 }, 16, 30, THEMES.light);
    const wide = legendPanel(content(30), { beside: 500 }, 16, 30, THEMES.light);
    const tall = legendPanel(content(40), { beside: 320 }, 16, 40, THEMES.light);
    expect(narrow.height).toBe(500);
    expect(wide.height).toBeGreaterThanOrEqual(500);
    expect(wide.width).toBeGreaterThan(narrow.width * 1.7);
    expect(tall.height).toBeGreaterThan(320);
  });

  it('has a line for unlabelled pixels', () => {
    const labels = ndarray(new Uint8Array([0, 255, 255, 255]), [2, 2]);
    const panel = legendPanel(legend(labels, names, palette), { beside: 300 }, 16, 30, THEMES.light);
    expect(swatches(panel.svg)).toBe(2);
    const nothing = ndarray(new Uint8Array([255]), [1, 1]);
    expect(swatches(legendPanel(legend(nothing, names, palette), { beside: 300 }, 16, 30, THEMES.light).svg)).toBe(1);
  });

  it('writes shares with one decimal', () => {
    expect([1, 0.5, 0.1234, 0.0005, 0.0004, 0].map(formatShare)).toEqual([
      '100.0%',
      '50.0%',
      '12.3%',
      '0.1%',
      '<0.1%',
      '0.0%',
    ]);
  });

  it('needs no footer without text', () => {
    expect(footerPanel(400, 16, {}, THEMES.light)).toBeUndefined();
    expect(footerPanel(400, 16, { caption: '' }, THEMES.light)).toBeUndefined();
  });
});

describe('stroke font', () => {
  it('draws every printable ASCII character with a shape of its own', () => {
    const shapes = new Set<string>();
    for (let code = 0x21; code <= 0x7e; code++) {
      const char = String.fromCharCode(code);
      expect(textWidth(char, 20)).toBeGreaterThan(1);
      shapes.add(/ d="([^"]+)"/.exec(textPaths(char, 0, 0, { size: 20, colour: '#000' }))![1]!);
    }
    expect(shapes.size).toBe(0x7e - 0x21 + 1);
  });

  it('drops accents, and marks what it cannot draw', () => {
    const draw = (text: string): string => textPaths(text, 0, 0, { size: 20, colour: '#000' });
    expect(draw('Zürich “café”')).toBe(draw('Zurich "cafe"'));
    expect(draw('東')).toBe(draw('?'));
    expect(draw('<&"')).not.toMatch(/<&/);
  });

  it('has digits of one width', () => {
    expect(new Set([...'0123456789'].map((digit) => textWidth(digit, 20))).size).toBe(1);
  });

  it('shortens and wraps to a width', () => {
    const text = 'an extraordinarily long class name';
    const short = fitText(text, 16, 120);
    expect(short).toMatch(/^an .*…$/);
    expect(textWidth(short, 16)).toBeLessThanOrEqual(120);
    expect(fitText('wall', 16, 120)).toBe('wall');
    const lines = wrapText(text, 16, 120);
    expect(lines.join(' ')).toBe(text);
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(textWidth(line, 16)).toBeLessThanOrEqual(120);
    expect(wrapText('Donaudampfschifffahrtsgesellschaft', 16, 80)[0]).toMatch(/…$/);
  });
});
