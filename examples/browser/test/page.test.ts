/** The page in Chromium, as a visitor uses it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium as playwright, type Browser, type Page } from 'playwright';
import { build, defaultClientConditions, preview, type PreviewServer } from 'vite';
import { afterAll, beforeAll, expect, test as everyTest } from 'vitest';
import { createDevice, encodeSafetensors } from '@ii/tensor';
import { type LabelMap } from '@ii/tensor/image';
import { UperNet, createUperNet, type CreateUperNetOptions } from '@ii/upernet';
import { classTable, demoModel, openDemoCheckpoint } from '@ii/zoo';
import { decodeImage } from '@ii/zoo/node';
import { chromium, chromiumFlags, isolationHeaders, withoutBrowser } from '../../../scripts/chromium.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const street = fileURLToPath(new URL('../../photos/street.jpg', import.meta.url));
const bedroom = fileURLToPath(
  new URL('../../../packages/ade20k/test/fixtures/ade20k-sample/ADE_val_00000003.jpg', import.meta.url),
);
const { names, palette } = classTable(150);

let folder: string;
let isolated: PreviewServer;
let plain: PreviewServer;
const browsers: Browser[] = [];

const test = (title: string, body: () => Promise<void>): void =>
  everyTest(title, async (context) => {
    if (withoutBrowser) context.skip(withoutBrowser);
    await body();
  });

beforeAll(async () => {
  if (withoutBrowser) return;
  folder = await mkdtemp(join(tmpdir(), 'ii-page-'));
  const outDir = join(folder, 'site');
  const resolve = { conditions: ['ii-source', ...defaultClientConditions] };
  await build({ root, resolve, build: { outDir }, logLevel: 'error' });
  const serve = (headers: Record<string, string>): Promise<PreviewServer> =>
    preview({ root, configFile: false, build: { outDir }, preview: { port: 0, headers }, logLevel: 'error' });
  [isolated, plain] = await Promise.all([serve(isolationHeaders), serve({})]);
});

afterAll(async () => {
  for (const browser of browsers) await browser.close();
  for (const server of [isolated, plain]) await server?.close();
  if (folder) await rm(folder, { recursive: true });
});

/** Opens the page; whatever goes wrong in it fails the test. */
async function open(server: PreviewServer, flags: readonly string[]): Promise<Page> {
  const browser = await playwright.launch({ executablePath: chromium!, args: [...flags] });
  browsers.push(browser);
  const page = await browser.newPage({ viewport: { width: 1360, height: 1010 } });
  page.setDefaultTimeout(90_000);
  page.on('pageerror', (error) => {
    throw error;
  });
  await page.goto(server.resolvedUrls!.local[0]!);
  return page;
}

const finished = (page: Page): Promise<void> => page.locator('#busy.idle', { hasText: 'pixels in' }).waitFor();

/** Drops a file onto the page. */
async function drop(page: Page, name: string, type: string, bytes: Uint8Array): Promise<void> {
  const base64 = Buffer.from(bytes).toString('base64');
  await page.evaluate(
    async ([fileName, mime, content]) => {
      const blob = await (await fetch(`data:application/octet-stream;base64,${content}`)).blob();
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([blob], fileName!, { type: mime! }));
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
    },
    [name, type, base64],
  );
}

/** What the demonstration model says of a photo, computed here: with its weights, or with untrained ones of a seed. */
async function labelsHere(photo: string, seed?: number): Promise<LabelMap> {
  const own = seed === undefined ? await openDemoCheckpoint() : null;
  const weights: Pick<CreateUperNetOptions, 'weights' | 'seed'> = own ? { weights: own.tensors } : { seed: seed! };
  using model = await createUperNet(demoModel.config, { device: 'wasm', threads: 1, ...weights });
  await own?.close();
  return (await model.segment(await decodeImage(photo), { scale: demoModel.testScale })).labels;
}

/** Share of the overlay's pixels that have the colour of the expected class. */
async function agreement(page: Page, expected: LabelMap): Promise<number> {
  const shown = await page.locator('#overlay').evaluate((canvas: HTMLCanvasElement) => {
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    return { size: [canvas.height, canvas.width], data: [...data] };
  });
  expect(shown.size).toEqual(expected.shape);
  const same = expected.data.filter((id, i) => palette[id]!.every((level, c) => shown.data[4 * i + c] === level));
  return same.length / expected.data.length;
}

/** A checkpoint of the demo model. */
async function checkpoint(seed: number): Promise<Uint8Array> {
  using device = await createDevice('reference');
  const network = new UperNet(demoModel.config);
  network.initialize(device, seed);
  return await encodeSafetensors(network.stateDict());
}

test('isolated: a photo and a checkpoint that are dropped give the labels that Node gives', async () => {
  const page = await open(isolated, chromiumFlags);
  await finished(page);
  expect(await page.textContent('#device-name')).toMatch(/^CPU, \d+ threads$/);
  expect(await page.textContent('#device-reason')).toMatch(/there is no GPU, only .*software rasteriser/);
  expect(await page.textContent('#model-note')).toContain('trained on drawings');
  const first = await labelsHere(street);
  expect(await agreement(page, first)).toBeGreaterThan(0.99);

  // The class under the pointer, and its share in the legend.
  const box = (await page.locator('#overlay').boundingBox())!;
  const [height, width] = first.shape as [number, number];
  await page.mouse.move(box.x + (box.width * 200.5) / width, box.y + (box.height * 250.5) / height);
  const pointed = names[first.get(250, 200)]!;
  expect(await page.textContent('#pointed')).toBe(pointed);
  const marked = page.locator('#legend .marked');
  expect(await marked.locator('.name').textContent()).toBe(pointed);
  const share = first.data.filter((id) => names[id] === pointed).length / first.data.length;
  expect(Math.abs(100 * share - Number.parseFloat((await marked.locator('.share').textContent())!))).toBeLessThan(1);

  expect(await page.textContent('#time-warm')).toBe('—');
  await page.click('#again');
  await page.locator('#time-warm', { hasText: 's' }).waitFor();
  if (process.env['II_SCREENSHOT']) await page.screenshot({ path: process.env['II_SCREENSHOT'] });
  await page.locator('#opacity').fill('20');
  expect(await page.locator('#overlay').evaluate((canvas) => canvas.style.opacity)).toBe('0.2');

  const weights = await checkpoint(5);
  await drop(page, 'mine.safetensors', '', weights);
  await page.locator('#bundled').waitFor();
  await finished(page);
  expect(await page.isHidden('#model-note')).toBe(true);
  await drop(page, 'bedroom.jpg', 'image/jpeg', await readFile(bedroom));
  await page.locator('#doing', { hasText: '400 × 300' }).waitFor();
  await finished(page);
  expect(await agreement(page, await labelsHere(bedroom, 5))).toBeGreaterThan(0.99);

  // What cannot be used is said, and the page goes on with what it had when that is asked for.
  await drop(page, 'broken.pth', '', weights.subarray(0, 5000));
  await page.locator('#busy.failed', { hasText: "'broken.pth'" }).waitFor();
  await page.click('#bundled');
  await finished(page);
});

// Whole inferences on the GPU are compared in the packages' tests: a software GPU takes long for them.
test('a run on the GPU is cancelled; the page goes on with the same model', async () => {
  const page = await open(isolated, chromiumFlags);
  await finished(page);
  await page.selectOption('#device', 'webgpu');
  await page.locator('#doing', { hasText: 'Segmenting' }).waitFor();
  expect(await page.textContent('#device-name')).toBe('GPU');
  expect(await page.textContent('#device-reason')).toContain('software rasteriser');
  await page.click('#cancel');
  await page.locator('#busy.idle', { hasText: 'Cancelled' }).waitFor();
  await page.selectOption('#device', 'wasm');
  await finished(page);
  expect(await page.textContent('#device-name')).toMatch(/^CPU, \d+ threads$/);
  expect(await agreement(page, await labelsHere(street))).toBeGreaterThan(0.99);
});

test('without isolation and without an adapter: on one CPU thread, and the page says so; the camera runs, too', async () => {
  const page = await open(plain, [
    '--no-sandbox',
    '--disable-features=WebGPU',
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
  ]);
  await finished(page);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
  expect(await page.textContent('#device-name')).toBe('CPU, one thread');
  const reason = await page.textContent('#device-reason');
  expect(reason).toContain('shared memory is not available (a page needs cross-origin isolation for it)');
  expect(reason).toMatch(/device 'webgpu' is not available: (no adapter was found|this browser has no WebGPU)/);
  expect(await agreement(page, await labelsHere(street))).toBeGreaterThan(0.99);

  await page.click('#camera');
  await page.locator('#doing', { hasText: 'pictures per second' }).waitFor();
  expect(await page.locator('#overlay').evaluate((canvas: HTMLCanvasElement) => canvas.width)).toBe(640);
  await page.click('#camera');
  await page.locator('#busy.idle', { hasText: 'Camera stopped' }).waitFor();

  await page.selectOption('#device', 'webgpu');
  await page.locator('#busy.failed', { hasText: "device 'webgpu' is not available" }).waitFor();
});
