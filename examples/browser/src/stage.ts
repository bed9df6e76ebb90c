/** The photo or the camera with the classes' colours over it, and what is under the pointer. */
import { labelColours, type LabelMap, type Palette } from '@ii/tensor/image';
import { element } from './element.js';

const stage = element('stage', HTMLElement);
const photo = element('photo', HTMLCanvasElement);
const overlay = element('overlay', HTMLCanvasElement);
const pointed = element('pointed', HTMLOutputElement);
export const video = element('video', HTMLVideoElement);

/** How much of the colours stays where another class is picked out. */
const FADED = 0.12;

interface Shown {
  readonly labels: LabelMap;
  readonly names: readonly string[];
  readonly palette: Palette;
  readonly colours: ImageData;
}

let shown: Shown | null = null;
let onPoint: (id: number | null) => void = () => {};

/** Called with the class under the pointer. */
export function whenPointed(tell: (id: number | null) => void): void {
  onPoint = tell;
}

/** Shows a photo, without colours until {@link showLabels}. */
export function showPhoto(bitmap: ImageBitmap): void {
  photo.width = bitmap.width;
  photo.height = bitmap.height;
  photo.getContext('2d')!.drawImage(bitmap, 0, 0);
  reveal(photo, bitmap.width, bitmap.height);
}

/** Shows the camera instead of the photo. */
export function showVideo(): void {
  reveal(video, video.videoWidth, video.videoHeight);
}

function reveal(what: HTMLElement, width: number, height: number): void {
  for (const other of [photo, video]) other.hidden = other !== what;
  element('empty', HTMLElement).hidden = true;
  stage.style.setProperty('--ratio', String(width / height));
  clearLabels();
}

export function clearLabels(): void {
  shown = null;
  overlay.hidden = true;
  pointed.hidden = true;
}

export function showLabels(labels: LabelMap, names: readonly string[], palette: Palette): void {
  const [height, width] = labels.shape as [number, number];
  const colours = new ImageData(labelColours(labels, palette, { opacity: 1 }), width, height);
  shown = { labels, names, palette, colours };
  overlay.width = width;
  overlay.height = height;
  overlay.hidden = false;
  highlight(null);
}

/** Picks out the pixels of one class; null: all alike. */
export function highlight(id: number | null): void {
  if (!shown) return;
  const { labels, colours } = shown;
  let image = colours;
  if (id !== null) {
    image = new ImageData(colours.data.slice(), colours.width, colours.height);
    const { data } = image;
    const ids = labels.data;
    for (let i = 0; i < ids.length; i++) if (ids[i] !== id) data[4 * i + 3] = data[4 * i + 3]! * FADED;
  }
  overlay.getContext('2d')!.putImageData(image, 0, 0);
}

/** @param share 0 to 1. */
export function setOpacity(share: number): void {
  overlay.style.opacity = String(share);
}

/** The picture below the colours. */
export function pictureBelow(): HTMLCanvasElement | HTMLVideoElement {
  return photo.hidden ? video : photo;
}

stage.addEventListener('pointermove', (event) => {
  if (!shown) return;
  const box = overlay.getBoundingClientRect();
  const { labels, names, palette } = shown;
  const [height, width] = labels.shape as [number, number];
  const x = Math.floor(((event.clientX - box.left) / box.width) * width);
  const y = Math.floor(((event.clientY - box.top) / box.height) * height);
  if (x < 0 || y < 0 || x >= width || y >= height) return leave();
  const id = labels.get(y, x);
  pointed.hidden = false;
  pointed.textContent = names[id] ?? 'unlabelled';
  pointed.style.setProperty('--colour', `rgb(${(palette[id] ?? [0, 0, 0]).join(' ')})`);
  const around = stage.getBoundingClientRect();
  pointed.style.left = `${event.clientX - around.left}px`;
  pointed.style.top = `${event.clientY - around.top}px`;
  onPoint(id);
});

stage.addEventListener('pointerleave', leave);

function leave(): void {
  pointed.hidden = true;
  onPoint(null);
}
