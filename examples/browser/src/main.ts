/** The page: what the user does, and what is shown of it. The work is done in `segmentation-worker.ts`. */
import { drawOverlay, legend, type LabelMap } from '@ii/tensor/image';
import ndarray from 'ndarray';
import { startCamera, stopCamera } from './camera.js';
import { element } from './element.js';
import { duration, median, millions } from './format.js';
import { clearLegend, markInLegend, showLegend } from './legend-panel.js';
import type { DeviceChoice, LoadedModel, ModelChoice, SegmentedPicture } from './protocol.js';
import { CancelledError, SegmentationClient } from './segmentation-client.js';
import { highlight, pictureBelow, setOpacity, showLabels, showPhoto, showVideo, video, whenPointed } from './stage.js';

const button = (id: string): HTMLButtonElement => element(id, HTMLButtonElement);
const input = (id: string): HTMLInputElement => element(id, HTMLInputElement);
const text = (id: string, content: string): void => {
  element(id, HTMLElement).textContent = content;
};

const samplePhoto = new URL('../../photos/street.jpg', import.meta.url).href;
const busy = element('busy', HTMLElement);
const bar = element('bar', HTMLElement);

const client = new SegmentationClient(showProgress, showModel);
let choice: ModelChoice = null;
let model: LoadedModel | null = null;
let photo: Blob | null = null;
let labels: LabelMap | null = null;
/** While the camera runs. */
let camera: AbortController | null = null;
let warmTimes: number[] = [];

function showProgress(loaded: number, total: number): void {
  state('working', `Loading weights, ${loaded} of ${total} tensors`);
  bar.style.setProperty('--done', String(loaded / total));
  busy.classList.add('measured');
}

/** What goes on, in a few words. */
function state(kind: 'idle' | 'working' | 'failed', words: string): void {
  busy.className = `busy ${kind}`;
  text('doing', words);
  button('cancel').hidden = kind !== 'working';
  button('again').disabled = kind === 'working' || !photo;
  button('save').disabled = !labels;
}

/** Runs one thing after another as the user asks; the newest wins. */
async function attempt(doing: string, work: () => Promise<string>): Promise<void> {
  if (client.busy) client.cancel();
  state('working', doing);
  try {
    const done = await work();
    if (!client.busy) state('idle', done);
  } catch (error) {
    // After a cancellation by something newer, that speaks.
    if (client.busy) return;
    if (error instanceof CancelledError) state('idle', 'Cancelled');
    else state('failed', error instanceof Error ? error.message : String(error));
  }
}

function showModel(loaded: LoadedModel): void {
  model = loaded;
  const [long, short] = loaded.testScale;
  text('model-title', loaded.title);
  const classes = `${loaded.names.length} classes`;
  text('model-facts', `${millions(loaded.params)} parameters · ${classes} · photos within ${long} × ${short}`);
  element('model-note', HTMLElement).hidden = loaded.note === null;
  text('model-note', loaded.note ?? '');
  button('bundled').hidden = choice === null;
  text('time-load', duration(loaded.milliseconds));
  text('time-cold', '—');
  forgetTimes();
  showDevice(loaded);
}

function showDevice({ device, selection }: Pick<LoadedModel, 'device' | 'selection'>): void {
  const threads = /(\d+) worker/.exec(selection)?.[1];
  const cpu = threads && threads !== '1' ? `CPU, ${threads} threads` : 'CPU, one thread';
  text('device-name', device === 'webgpu' ? 'GPU' : cpu);
  text('device-reason', selection.replace(/^\w+: /, ''));
}

function forgetTimes(): void {
  warmTimes = [];
  text('time-warm', '—');
}

function showResult(result: SegmentedPicture): void {
  const { names, palette } = model!;
  const { width, height, inputSize, milliseconds, first, recovered } = result;
  labels = ndarray(result.labels, [height, width]);
  showLabels(labels, names, palette);
  showLegend(legend(labels, names, palette), highlight);
  if (recovered) showDevice(recovered);
  if (first) {
    forgetTimes();
    text('time-cold', duration(milliseconds));
  } else {
    warmTimes = [...warmTimes, milliseconds].slice(-30);
    const of = warmTimes.length > 1 ? `, median of ${warmTimes.length}` : '';
    text('time-warm', `${duration(median(warmTimes))}${of}`);
  }
  text('time-input', `${inputSize[1]} × ${inputSize[0]}`);
}

async function loadModel(next: ModelChoice): Promise<void> {
  choice = next;
  const wasFilming = camera !== null;
  stopFilming();
  const device = element('device', HTMLSelectElement).value as DeviceChoice;
  await attempt(next ? `Opening ${next.name}` : 'Loading the bundled model', async () => {
    await client.load(next, device);
    return 'Ready';
  });
  if (!client.busy && busy.classList.contains('idle')) await (wasFilming ? film() : segmentPhoto());
}

async function openPhoto(blob: Blob): Promise<void> {
  stopFilming();
  await attempt('Opening the photo', async () => {
    const bitmap = await createImageBitmap(blob, { colorSpaceConversion: 'none' }).catch(() => {
      throw new Error('this browser cannot open that file as a photo');
    });
    photo = blob;
    labels = null;
    showPhoto(bitmap);
    clearLegend();
    bitmap.close();
    return 'Ready';
  });
  if (!client.busy && busy.classList.contains('idle')) await segmentPhoto();
}

async function segmentPhoto(): Promise<void> {
  const picture = photo;
  if (!picture) return;
  await attempt('Segmenting', async () => {
    const result = await client.segment(picture);
    showResult(result);
    return `${result.width} × ${result.height} pixels in ${duration(result.milliseconds)}`;
  });
}

/** Segments the camera's pictures, one after another, until something else is asked for. */
async function film(): Promise<void> {
  await attempt('Waiting for the camera', async () => {
    const { signal } = (camera = new AbortController());
    await startCamera();
    photo = null;
    labels = null;
    button('camera').setAttribute('aria-pressed', 'true');
    showVideo();
    clearLegend();
    while (!signal.aborted) {
      const result = await client.segment(await createImageBitmap(video));
      if (signal.aborted) break;
      showResult(result);
      state('working', `Camera, ${(1000 / result.milliseconds).toFixed(1)} pictures per second`);
    }
    return 'Camera stopped';
  });
  if (!client.busy) stopFilming();
}

function stopFilming(): void {
  camera?.abort();
  camera = null;
  stopCamera();
  button('camera').setAttribute('aria-pressed', 'false');
}

async function savePicture(): Promise<void> {
  if (!labels || !model) return;
  const below = pictureBelow();
  const [height, width] = labels.shape as [number, number];
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  canvas.getContext('2d')!.drawImage(below, 0, 0, width, height);
  drawOverlay(canvas, labels, model.palette, { opacity: opacity() });
  const link = document.createElement('a');
  link.href = canvas.toDataURL('image/png');
  link.download = 'segmented.png';
  link.click();
}

const opacity = (): number => Number(input('opacity').value) / 100;

function applyOpacity(): void {
  setOpacity(opacity());
  element('opacity-value', HTMLOutputElement).textContent = `${input('opacity').value} %`;
}

/** A photo or a checkpoint, by what the browser thinks it is; a wrong guess is told in words by who opens it. */
function open(file: File): void {
  void (file.type.startsWith('image/') ? openPhoto(file) : loadModel(file));
}

function whenChosen(id: string, take: (file: File) => void): void {
  const field = input(id);
  field.addEventListener('change', () => {
    const file = field.files?.[0];
    field.value = '';
    if (file) take(file);
  });
}

whenChosen('choose-photo', (file) => void openPhoto(file));
whenChosen('choose-model', (file) => void loadModel(file));
button('bundled').addEventListener('click', () => void loadModel(null));
button('sample').addEventListener('click', async () => openPhoto(await (await fetch(samplePhoto)).blob()));
button('again').addEventListener('click', () => void segmentPhoto());
button('save').addEventListener('click', () => void savePicture());
button('camera').addEventListener('click', () => {
  if (camera) stopFilming();
  else void film();
});
button('cancel').addEventListener('click', () => {
  stopFilming();
  client.cancel();
});
element('device', HTMLSelectElement).addEventListener('change', () => void loadModel(choice));
input('opacity').addEventListener('input', applyOpacity);
whenPointed(markInLegend);

document.addEventListener('dragover', (event) => {
  event.preventDefault();
  document.body.classList.add('dragging');
});
document.addEventListener('dragleave', (event) => {
  if (!event.relatedTarget) document.body.classList.remove('dragging');
});
document.addEventListener('drop', (event) => {
  event.preventDefault();
  document.body.classList.remove('dragging');
  const file = event.dataTransfer?.files[0];
  if (file) open(file);
});

applyOpacity();
photo = await (await fetch(samplePhoto)).blob();
showPhoto(await createImageBitmap(photo));
await loadModel(null);
