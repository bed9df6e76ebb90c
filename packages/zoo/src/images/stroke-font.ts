/**
 * A single-stroke sans-serif drawn for this project: text in a picture comes out the same on every machine, with or
 * without installed fonts. Glyphs are centre lines, stroked with round caps by whoever draws them.
 *
 * Font units, y down: capitals from 0 to 14, small letters from 4 to 14, baseline at 14, descenders to 18.
 */

/** Baseline and capital height, in font units. */
export const CAP_HEIGHT = 14;

/** Font units to an em: a text of 20 px is drawn at a scale of 20 / 20. */
export const UNITS_PER_EM = 20;

/** Space beside a glyph: at a straight stem, a round, or a diagonal or open side. */
const BEARING = { s: 2.2, r: 1.7, d: 1 } as const;

type Side = keyof typeof BEARING;
type Glyph = readonly [left: Side, width: number, right: Side, path: string];

/** A full stop centred at (x, y), a little larger than the stroke is thick. */
function dot(x: number, y: number): string {
  return `M${x - 0.2} ${y - 0.2}h.4v.4h-.4Z`;
}

const BOWL_RIGHT = 'M0 9C0 6 1.6 4 4 4C6.5 4 8 6 8 9C8 12 6.5 14 4 14C1.6 14 0 12 0 9';
const BOWL_LEFT = 'M8 9C8 6 6.4 4 4 4C1.5 4 0 6 0 9C0 12 1.5 14 4 14C6.4 14 8 12 8 9';
const ROUND_O = 'M5.8 0C9.2 0 11.6 2.8 11.6 7C11.6 11.2 9.2 14 5.8 14C2.4 14 0 11.2 0 7C0 2.8 2.4 0 5.8 0Z';
const DOT = dot(0, 13.8);

// prettier-ignore
const GLYPHS: Readonly<Record<string, Glyph>> = {
  a: ['r', 7.4, 's', 'M.7 5.3C1.6 4.4 2.7 4 3.9 4C6.2 4 7.4 5.2 7.4 7.5V14M7.4 8.4H4C1.4 8.4 0 9.5 0 11.2C0 12.9 1.3 14 3.2 14C5.5 14 7.4 12.7 7.4 10.4'],
  b: ['s', 8, 'r', `M0-1V14${BOWL_RIGHT}`],
  c: ['r', 7, 'd', 'M7 5.6C6.3 4.6 5.3 4 4.1 4C1.6 4 0 6 0 9C0 12 1.6 14 4.1 14C5.3 14 6.3 13.4 7 12.4'],
  d: ['r', 8, 's', `M8-1V14${BOWL_LEFT}`],
  e: ['r', 7.9, 'r', 'M.1 9H7.9C7.9 6 6.5 4 4.1 4C1.6 4 0 6 0 9C0 12 1.6 14 4.2 14C5.6 14 6.8 13.5 7.5 12.5'],
  f: ['d', 5, 'd', 'M5-.8C4.6-.95 4.2-1 3.8-1C2.4-1 1.8-.1 1.8 1.4V14M0 4H4.6'],
  g: ['r', 8, 's', `M8 4V14C8 16.7 6.5 18 4.1 18C2.7 18 1.5 17.6.7 16.8${BOWL_LEFT}`],
  h: ['s', 7.4, 's', 'M0-1V14M0 8C0 5.6 1.6 4 3.9 4C6.2 4 7.4 5.4 7.4 8V14'],
  i: ['s', 0, 's', `M0 4V14${dot(0, 0)}`],
  j: ['d', 2, 's', `M2 4V15.4C2 17.1 1.2 18 0 18${dot(2, 0)}`],
  k: ['s', 7, 'd', 'M0-1V14M6.6 4L0 10.4M2.6 8L7 14'],
  l: ['s', 1.8, 'd', 'M0-1V12C0 13.4.6 14 1.8 14'],
  m: ['s', 12.6, 's', 'M0 4V14M0 7.6C0 5.4 1.3 4 3.3 4C5.3 4 6.3 5.3 6.3 7.4V14M6.3 7.6C6.3 5.4 7.6 4 9.5 4C11.6 4 12.6 5.3 12.6 7.4V14'],
  n: ['s', 7.4, 's', 'M0 4V14M0 8C0 5.6 1.6 4 3.9 4C6.2 4 7.4 5.4 7.4 8V14'],
  o: ['r', 8.2, 'r', 'M4.1 4C6.6 4 8.2 6 8.2 9C8.2 12 6.6 14 4.1 14C1.6 14 0 12 0 9C0 6 1.6 4 4.1 4Z'],
  p: ['s', 8, 'r', `M0 4V18${BOWL_RIGHT}`],
  q: ['r', 8, 's', `M8 4V18${BOWL_LEFT}`],
  r: ['s', 4.4, 'd', 'M0 4V14M0 8.4C0 5.8 1.3 4 3.3 4C3.7 4 4.1 4.05 4.4 4.15'],
  s: ['r', 6.5, 'r', 'M6.2 5.3C5.4 4.5 4.4 4 3.2 4C1.4 4 .3 5 .3 6.5C.3 8 1.4 8.5 3.2 8.9C5.2 9.3 6.5 9.9 6.5 11.4C6.5 13 5.2 14 3.3 14C1.9 14 .8 13.5 0 12.6'],
  t: ['d', 5, 'd', 'M1.8 1V11.4C1.8 13.1 2.5 14 3.8 14C4.2 14 4.6 13.9 5 13.8M0 4H4.8'],
  u: ['s', 7.4, 's', 'M0 4V10C0 12.6 1.2 14 3.5 14C5.8 14 7.4 12.4 7.4 10M7.4 4V14'],
  v: ['d', 7.6, 'd', 'M0 4L3.8 14L7.6 4'],
  w: ['d', 11.6, 'd', 'M0 4L2.9 14L5.8 4.8L8.7 14L11.6 4'],
  x: ['d', 7, 'd', 'M0 4L7 14M7 4L0 14'],
  y: ['d', 7.6, 'd', 'M0 4L3.9 14M7.6 4L3 16.2C2.5 17.5 1.7 18 .6 18'],
  z: ['d', 6.8, 'd', 'M.2 4H6.6L0 14H6.8'],
  A: ['d', 10, 'd', 'M0 14L5 0L10 14M1.7 9.4H8.3'],
  B: ['s', 8.6, 'r', 'M0 0V14H4.6C7.2 14 8.6 12.6 8.6 10.4C8.6 8.2 7 6.8 4.6 6.8H0M4.4 6.8C6.6 6.8 7.8 5.6 7.8 3.4C7.8 1.2 6.6 0 4.4 0H0'],
  C: ['r', 10, 'd', 'M10 2.6C8.8.9 7.3 0 5.6 0C2.2 0 0 2.8 0 7C0 11.2 2.2 14 5.6 14C7.3 14 8.8 13.1 10 11.4'],
  D: ['s', 9.6, 'r', 'M0 0V14H3.6C7.4 14 9.6 11.4 9.6 7C9.6 2.6 7.4 0 3.6 0Z'],
  E: ['s', 7.8, 'd', 'M7.6 0H0V14H7.8M0 6.8H6.8'],
  F: ['s', 7.6, 'd', 'M7.6 0H0V14M0 6.9H6.6'],
  G: ['r', 10.2, 's', 'M10 2.6C8.8.9 7.4 0 5.7 0C2.2 0 0 2.8 0 7C0 11.2 2.2 14 5.7 14C7.6 14 9.2 13.2 10.2 12V7.6H6'],
  H: ['s', 9.2, 's', 'M0 0V14M9.2 0V14M0 6.8H9.2'],
  I: ['s', 0, 's', 'M0 0V14'],
  J: ['d', 5.6, 's', 'M5.6 0V9.8C5.6 12.6 4.4 14 2.6 14C1.4 14 .6 13.5 0 12.6'],
  K: ['s', 8.8, 'd', 'M0 0V14M8.4 0L0 8.6M3.2 5.4L8.8 14'],
  L: ['s', 7, 'd', 'M0 0V14H7'],
  M: ['s', 11.2, 's', 'M0 14V0L5.6 9.6L11.2 0V14'],
  N: ['s', 9.2, 's', 'M0 14V0L9.2 14V0'],
  O: ['r', 11.6, 'r', ROUND_O],
  P: ['s', 8.6, 'r', 'M0 14V0H4.4C7.2 0 8.6 1.5 8.6 4C8.6 6.5 7.2 8 4.4 8H0'],
  Q: ['r', 11.6, 'r', `${ROUND_O}M7.6 10.8L11.2 14.8`],
  R: ['s', 8.8, 'd', 'M0 14V0H4.4C7.2 0 8.6 1.5 8.6 4C8.6 6.5 7.2 8 4.4 8H0M4.6 8L8.8 14'],
  S: ['r', 8.7, 'r', 'M8.2 1.9C7.2.7 5.9 0 4.3 0C2 0 .5 1.4.5 3.4C.5 5.5 2 6.2 4.4 6.8C7 7.4 8.7 8.2 8.7 10.4C8.7 12.6 7 14 4.5 14C2.6 14 1 13.3 0 12'],
  T: ['d', 9.4, 'd', 'M0 0H9.4M4.7 0V14'],
  U: ['s', 9.2, 's', 'M0 0V8.8C0 12.2 1.6 14 4.6 14C7.6 14 9.2 12.2 9.2 8.8V0'],
  V: ['d', 9.6, 'd', 'M0 0L4.8 14L9.6 0'],
  W: ['d', 14.4, 'd', 'M0 0L3.6 14L7.2 1L10.8 14L14.4 0'],
  X: ['d', 8.8, 'd', 'M0 0L8.8 14M8.8 0L0 14'],
  Y: ['d', 9.2, 'd', 'M0 0L4.6 7.2L9.2 0M4.6 7.2V14'],
  Z: ['d', 8.8, 'd', 'M.3 0H8.6L0 14H8.8'],
  // All digits are equally wide, so that columns of numbers line up.
  0: ['r', 8, 'r', 'M4 0C6.6 0 8 2.6 8 7C8 11.4 6.6 14 4 14C1.4 14 0 11.4 0 7C0 2.6 1.4 0 4 0Z'],
  1: ['r', 8, 'r', 'M1.4 2.8L4.8 0V14'],
  2: ['r', 8, 'r', 'M.3 3C.8 1.1 2.2 0 4.1 0C6.3 0 7.7 1.4 7.7 3.6C7.7 5.4 6.8 6.8 4.6 9.2L.2 14H8'],
  3: ['r', 8, 'r', 'M.4 1.9C1.2.7 2.5 0 4 0C6.2 0 7.5 1.3 7.5 3.3C7.5 5.5 6 6.7 3.4 6.7C6.4 6.7 8 8 8 10.3C8 12.6 6.4 14 4 14C2.2 14 .8 13.3 0 12'],
  4: ['r', 8, 'r', 'M6 14V0L0 9.8H8.2'],
  5: ['r', 8, 'r', 'M7.2 0H1.4L.8 6.4C1.6 5.6 2.8 5.2 4 5.2C6.5 5.2 8 6.9 8 9.5C8 12.2 6.4 14 3.9 14C2.2 14 .8 13.3 0 12.1'],
  6: ['r', 8, 'r', 'M7 1.4C6.3.5 5.4 0 4.4 0C1.6 0 0 2.8 0 7.6C0 11.8 1.4 14 4.1 14C6.5 14 8 12.3 8 9.7C8 7.1 6.5 5.5 4.2 5.5C1.9 5.5.2 7.2.1 9.4'],
  7: ['r', 8, 'r', 'M0 0H8L2.8 14'],
  8: ['r', 8, 'r', 'M4 6.5C1.9 6.5.6 5.3.6 3.2C.6 1.2 1.9 0 4 0C6.1 0 7.4 1.2 7.4 3.2C7.4 5.3 6.1 6.5 4 6.5C1.6 6.5 0 7.9 0 10.2C0 12.6 1.6 14 4 14C6.4 14 8 12.6 8 10.2C8 7.9 6.4 6.5 4 6.5Z'],
  9: ['r', 8, 'r', 'M1 12.6C1.7 13.5 2.6 14 3.6 14C6.4 14 8 11.2 8 6.4C8 2.2 6.6 0 3.9 0C1.5 0 0 1.7 0 4.3C0 6.9 1.5 8.5 3.8 8.5C6.1 8.5 7.8 6.8 7.9 4.6'],
  ' ': ['r', 2.6, 'r', ''],
  '.': ['r', 0, 'r', DOT],
  ',': ['r', 0.6, 'r', 'M.6 13.7V14C.6 15 .4 15.8 0 16.4'],
  ':': ['r', 0, 'r', `${dot(0, 6)}${DOT}`],
  ';': ['r', 0.6, 'r', `${dot(0.6, 6)}M.6 13.7V14C.6 15 .4 15.8 0 16.4`],
  '!': ['s', 0, 's', `M0 0V9.6${DOT}`],
  '?': ['d', 7, 'd', `M0 2.6C.6 1 1.9 0 3.6 0C5.6 0 7 1.3 7 3.2C7 5 6 5.9 4.9 6.9C3.9 7.8 3.5 8.5 3.5 10${dot(3.5, 13.8)}`],
  '-': ['r', 4.4, 'r', 'M0 9H4.4'],
  '–': ['r', 7, 'r', 'M0 9H7'],
  '—': ['r', 11, 'r', 'M0 9H11'],
  _: ['d', 8, 'd', 'M0 16.5H8'],
  '+': ['r', 8, 'r', 'M0 8.4H8M4 4.4V12.4'],
  '=': ['r', 8, 'r', 'M0 6.6H8M0 10.4H8'],
  '<': ['r', 7, 'r', 'M7 4.2L0 8.4L7 12.6'],
  '>': ['r', 7, 'r', 'M0 4.2L7 8.4L0 12.6'],
  '/': ['d', 5.6, 'd', 'M0 16L5.6-1.4'],
  '\\': ['d', 5.6, 'd', 'M0-1.4L5.6 16'],
  '|': ['s', 0, 's', 'M0-2V17'],
  '(': ['r', 3, 'd', 'M3-1.8C1 .8 0 3.8 0 7.2C0 10.6 1 13.6 3 16.2'],
  ')': ['d', 3, 'r', 'M0-1.8C2 .8 3 3.8 3 7.2C3 10.6 2 13.6 0 16.2'],
  '[': ['s', 2.8, 'd', 'M2.8-1.4H0V16H2.8'],
  ']': ['d', 2.8, 's', 'M0-1.4H2.8V16H0'],
  '{': ['d', 4, 'd', 'M4-1.6C2.4-1.6 1.8-.8 1.8.8V4.6C1.8 6.2 1.3 7 0 7.2C1.3 7.4 1.8 8.2 1.8 9.8V13.6C1.8 15.2 2.4 16 4 16'],
  '}': ['d', 4, 'd', 'M0-1.6C1.6-1.6 2.2-.8 2.2.8V4.6C2.2 6.2 2.7 7 4 7.2C2.7 7.4 2.2 8.2 2.2 9.8V13.6C2.2 15.2 1.6 16 0 16'],
  "'": ['r', 0, 'r', 'M0 0V3.4'],
  '"': ['r', 3, 'r', 'M0 0V3.4M3 0V3.4'],
  '`': ['d', 2.6, 'd', 'M0-.6L2.6 2'],
  '^': ['d', 6.4, 'd', 'M0 4.8L3.2 0L6.4 4.8'],
  '~': ['r', 8, 'r', 'M0 9.6C.6 8.2 1.5 7.6 2.4 7.6C4.4 7.6 4 9.6 5.9 9.6C6.8 9.6 7.5 8.9 8 7.6'],
  '*': ['d', 6, 'd', 'M3 0V7M0 1.8L6 5.2M6 1.8L0 5.2'],
  '#': ['d', 9.6, 'd', 'M3.2 0L1.8 14M7.8 0L6.4 14M.6 4.6H9.6M0 9.4H9'],
  $: ['r', 8.7, 'r', 'M8.2 2.6C7.2 1.6 5.9 1 4.3 1C2 1 .5 2.2.5 4C.5 5.8 2 6.4 4.4 6.9C7 7.4 8.7 8.2 8.7 10.1C8.7 11.9 7 13 4.5 13C2.6 13 1 12.4 0 11.2M4.4-1.2V15.2'],
  '%': ['r', 12.4, 'r', 'M2.6 0C4.2 0 5.2 1.2 5.2 3.3C5.2 5.4 4.2 6.6 2.6 6.6C1 6.6 0 5.4 0 3.3C0 1.2 1 0 2.6 0ZM9.8 7.4C11.4 7.4 12.4 8.6 12.4 10.7C12.4 12.8 11.4 14 9.8 14C8.2 14 7.2 12.8 7.2 10.7C7.2 8.6 8.2 7.4 9.8 7.4ZM10.2 0L2.2 14'],
  '&': ['r', 9.8, 'd', 'M9.4 14L2.4 5C1.6 4 1.4 3.2 1.4 2.6C1.4 1 2.6 0 4.2 0C5.8 0 6.9 1 6.9 2.5C6.9 6.2 0 6 0 10.4C0 12.6 1.6 14 3.9 14C7 14 8.8 11.6 9.2 8'],
  '@': ['r', 13, 'r', 'M9.6 5V10.4C9.6 11.6 10.2 12 11 12C12.4 12 13 10.2 13 8C13 3.6 10.4 1 6.6 1C2.6 1 0 4 0 8.4C0 12.8 2.6 16 6.8 16C8.2 16 9.4 15.7 10.4 15.2M9.6 8.5C9.6 6.4 8.4 5 6.6 5C4.8 5 3.6 6.4 3.6 8.5C3.6 10.6 4.8 12 6.6 12C8.4 12 9.6 10.6 9.6 8.5'],
  '×': ['r', 6.4, 'r', 'M0 5.4L6.4 11.8M6.4 5.4L0 11.8'],
  '·': ['r', 0, 'r', dot(0, 8.6)],
  '…': ['r', 8.4, 'r', `${DOT}${dot(4.2, 13.8)}${dot(8.4, 13.8)}`],
};

/** Latin letters with accents lose them, typographic quotes become plain ones; what is left unknown becomes `?`. */
function drawable(text: string): string[] {
  const plain = text
    .replaceAll(/[\u2018\u2019]/g, "'")
    .replaceAll(/[\u201c\u201d]/g, '"')
    .replaceAll(/\s/g, ' ');
  return [...plain].map((char) => {
    if (char in GLYPHS) return char;
    const base = char.normalize('NFD').charAt(0);
    return base in GLYPHS ? base : '?';
  });
}

function advance([left, width, right]: Glyph): number {
  return BEARING[left] + width + BEARING[right];
}

/** Width of `text` in pixels at `size` pixels to the em. */
export function textWidth(text: string, size: number): number {
  return (drawable(text).reduce((sum, char) => sum + advance(GLYPHS[char]!), 0) * size) / UNITS_PER_EM;
}

/** How a line of text is drawn. */
export interface TextStyle {
  /** Pixels to the em; a capital is 0.7 of it high. */
  readonly size: number;
  /** Any SVG colour. */
  readonly colour: string;
  /** Stroke thickness in em. Default 0.085, a regular weight. */
  readonly weight?: number;
  /** Which end of the text is at `x`. Default `start`. */
  readonly anchor?: 'start' | 'end';
}

/** One line of text as an SVG group of paths, its baseline at `y` (pixels). */
export function textPaths(text: string, x: number, y: number, style: TextStyle): string {
  const { size, colour, weight = 0.085, anchor = 'start' } = style;
  const scale = size / UNITS_PER_EM;
  const left = anchor === 'end' ? x - textWidth(text, size) : x;
  let pen = 0;
  const glyphs = drawable(text).map((char) => {
    const glyph = GLYPHS[char]!;
    const at = pen + BEARING[glyph[0]];
    pen += advance(glyph);
    return glyph[3] && `<path transform="translate(${round(at)})" d="${glyph[3]}"/>`;
  });
  return (
    `<g transform="translate(${round(left)} ${round(y - CAP_HEIGHT * scale)}) scale(${round(scale)})" fill="none" ` +
    `stroke="${colour}" stroke-width="${round(weight * UNITS_PER_EM)}" stroke-linecap="round" stroke-linejoin="round">` +
    `${glyphs.join('')}</g>`
  );
}

/** `text` shortened with an ellipsis so that it is at most `width` pixels wide. */
export function fitText(text: string, size: number, width: number): string {
  if (textWidth(text, size) <= width) return text;
  const chars = [...text];
  while (chars.length > 1 && textWidth(`${chars.join('').trimEnd()}…`, size) > width) chars.pop();
  return `${chars.join('').trimEnd()}…`;
}

/** Breaks `text` at spaces into lines of at most `width` pixels; a longer word is shortened. */
export function wrapText(text: string, size: number, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const last = lines.at(-1);
    if (last !== undefined && textWidth(`${last} ${word}`, size) <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(fitText(word, size, width));
  }
  return lines;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
