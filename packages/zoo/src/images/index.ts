/** Reading photos and writing results, in Node. */
export { decodeImage, DEFAULT_MAX_PIXELS, ImageReadError, ImageTooLargeError, type DecodeOptions } from './decode.js';
export { encodeJpeg, encodeLabelPng, encodeRgbPng, writeLabelPng, writeRgbPng } from './encode.js';
export { renderOverlayPicture, type OverlayPictureOptions } from './overlay-picture.js';
export { makeFolder } from './make-folder.js';
export { checkWritable, WriteError, writeFileAtomic } from './write-file.js';
