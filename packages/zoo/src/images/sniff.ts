/** The formats that photos are read from. */
export type ImageFormat = 'jpeg' | 'png' | 'webp';

/** Magic bytes (as Latin-1 text) of formats that people mistake for photos, and their names in a message. */
const SIGNATURES: readonly (readonly [offset: number, magic: string, name: string, format?: ImageFormat])[] = [
  [0, '\xff\xd8\xff', 'a JPEG image', 'jpeg'],
  [0, '\x89PNG\r\n\x1a\n', 'a PNG image', 'png'],
  [8, 'WEBP', 'a WebP image', 'webp'],
  [0, 'GIF8', 'a GIF image'],
  [0, 'BM', 'a BMP image'],
  [0, 'II*\0', 'a TIFF image'],
  [0, 'MM\0*', 'a TIFF image'],
  [4, 'ftypavif', 'an AVIF image'],
  [4, 'ftyphei', 'a HEIC image'],
  [4, 'ftypmif1', 'a HEIC image'],
  [4, 'ftyp', 'a video or HEIF file'],
  [0, '\0\0\0\x0cJXL ', 'a JPEG XL image'],
  [0, '\xff\x0a', 'a JPEG XL image'],
  [0, '%PDF', 'a PDF document'],
  [0, 'PK\x03\x04', 'a ZIP archive (a PyTorch checkpoint, perhaps)'],
  [0, '\x80\x02', 'a Python pickle (an old PyTorch checkpoint, perhaps)'],
  [0, '\x1f\x8b', 'a gzip archive'],
];

/** What the first bytes of a file show. */
export interface Content {
  /** Set for the formats that can be read. */
  readonly format?: ImageFormat;
  /** In words, with an article, for a message: `a GIF image`, `text ("Hello …")`. */
  readonly description: string;
}

/** Recognises a file by its first bytes; 64 are enough. */
export function sniffContent(head: Uint8Array): Content {
  const latin = Buffer.from(head.subarray(0, 64)).toString('latin1');
  for (const [offset, magic, description, format] of SIGNATURES) {
    if (latin.startsWith(magic, offset)) return format ? { format, description } : { description };
  }
  const text = textStart(head);
  if (text === undefined) {
    const hex = Buffer.from(head.subarray(0, 8))
      .toString('hex')
      .replaceAll(/(..)(?=.)/g, '$1 ');
    return { description: `unknown binary data (it begins with ${hex})` };
  }
  if (/^<svg|^<\?xml[^]*<svg/i.test(text)) return { description: 'an SVG drawing' };
  if (/^<(!doctype html|html)/i.test(text)) return { description: 'an HTML page (a failed download, perhaps)' };
  if (text.startsWith('version https://git-lfs')) return { description: 'a Git LFS pointer, not the file itself' };
  const excerpt = text.length > 24 ? `${text.slice(0, 24)}…` : text;
  return { description: `text (${JSON.stringify(excerpt)})` };
}

/** The first characters if the bytes read as text; UTF-8 may be cut at the end of `head`. */
function textStart(head: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(head).trimStart();
  const bad = [...text].filter((char) => char === '\ufffd' || (char < ' ' && !'\t\r\n'.includes(char))).length;
  return text.length > 0 && bad <= 1 ? text : undefined;
}
