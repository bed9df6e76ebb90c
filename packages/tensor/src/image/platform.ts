/** Pictures of the platform, a browser's page or worker, as arrays. */
import ndarray from 'ndarray';
import { FormatError, IIError, ShapeError } from '../errors.js';
import type { RgbImage, RgbInput } from './host-image.js';

/** What browsers hold pictures in. A transparent pixel counts with the colour that a canvas gives it. */
export type PlatformImage =
  ImageData | ImageBitmap | HTMLImageElement | HTMLVideoElement | VideoFrame | HTMLCanvasElement | OffscreenCanvas;

/** A picture as an array, or of the platform. */
export type ImageSource = RgbInput | PlatformImage;

/**
 * The pixels of a picture, at its own size and upright (browsers apply EXIF orientations), in sRGB. Pixels of an
 * `ImageData` are not copied. Video gives the frame that is shown now.
 *
 * @param image an array is given back as it is.
 * @throws ShapeError when a picture has no pixels: an image or video that is not loaded yet, a closed bitmap or frame.
 * @throws IIError where there is no canvas to read pixels with (Node).
 */
export function fromPlatform(image: PlatformImage): RgbImage;
export function fromPlatform(image: ImageSource): RgbInput;
export function fromPlatform(image: ImageSource): RgbInput {
  if ('shape' in image) return image;
  if ('data' in image) return rgbView(image);
  const [width, height] = sizeOfPicture(image);
  if (!(width > 0 && height > 0)) {
    throw new ShapeError(
      'fromPlatform: the picture has no pixels; await the load of an image or video, and do not close bitmaps or frames before',
    );
  }
  const context = makeCanvas(width, height).getContext('2d', { willReadFrequently: true }) as CanvasContext | null;
  if (!context)
    throw new IIError('ERR_PLATFORM', `fromPlatform: there is no canvas of ${width} × ${height} pixels here`);
  context.drawImage(image, 0, 0, width, height);
  return rgbView(context.getImageData(0, 0, width, height, { colorSpace: 'srgb' }));
}

/**
 * Decodes a picture file (JPEG, PNG, WebP or what else the browser knows), upright, ignoring colour profiles as the
 * official data loader does. In Node, `decodeImage` of `@ii/zoo/node` does this.
 *
 * @throws FormatError when the browser cannot decode it.
 */
export async function decodeBlob(blob: Blob): Promise<RgbImage> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(blob, { imageOrientation: 'from-image', colorSpaceConversion: 'none' });
  } catch (cause) {
    const name = 'name' in blob ? `'${String(blob.name)}'` : 'the blob';
    throw new FormatError(`${name} (${blob.type || 'of unknown type'}) is not a picture that this browser can decode`, {
      cause,
    });
  }
  try {
    return fromPlatform(bitmap);
  } finally {
    bitmap.close();
  }
}

type CanvasContext = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** A canvas of that size that nobody sees; in pages of older browsers an element. */
export function makeCanvas(width: number, height: number): OffscreenCanvas | HTMLCanvasElement {
  if (typeof OffscreenCanvas !== 'undefined') return new OffscreenCanvas(width, height);
  if (typeof document === 'undefined') {
    throw new IIError(
      'ERR_PLATFORM',
      'pictures of the platform need a browser; give an ndarray Uint8 [H, W, 3] here (in Node decodeImage makes one)',
    );
  }
  return Object.assign(document.createElement('canvas'), { width, height });
}

function sizeOfPicture(image: Exclude<PlatformImage, ImageData>): [width: number, height: number] {
  if ('naturalWidth' in image) return [image.naturalWidth, image.naturalHeight];
  if ('videoWidth' in image) return [image.videoWidth, image.videoHeight];
  if ('displayWidth' in image) return [image.displayWidth, image.displayHeight];
  return [image.width, image.height];
}

/** Red, green and blue of RGBA bytes: a view, without a copy. */
function rgbView({ data, width, height }: ImageData): RgbImage {
  return ndarray(new Uint8Array(data.buffer, data.byteOffset, data.length), [height, width, 3], [4 * width, 4, 1]);
}
