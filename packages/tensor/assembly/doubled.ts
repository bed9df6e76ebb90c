import { address, word } from './simd';

/*
 * A 3×3 convolution (padding 1) over a map that was upsampled bilinearly to twice its size, without that map: about 5.9
 * products for each of the map's pixels, where pyramid.ts needs nine and the plain form 36. Channels and outputs are
 * multiples of 16.
 *
 * Along one axis, upsampling is to put zeros between the n values of x and to filter with ¼ ¾ ¾ ¼. The convolution with
 * the taps w commutes with the filter, and between zeros it falls apart into two:
 *
 *     odd places      O_i = w₀ x_{i−1} + w₂ x_i     x_{−1} = x_0,  x_n = x_{n−1}
 *     even places     E_i = w₁ x_i                  E_{−1} = E_0,  E_n = E_{n−1}
 *     result       y_{2i} = ¾ (O_i + E_i) + ¼ (O_{i+1} + E_{i−1})
 *                y_{2i+1} = ¾ (O_{i+1} + E_i) + ¼ (O_i + E_{i+1})
 *
 * That is clamped sampling without an end. Zero padding takes w₀ x_0 from y_0 and w₂ x_{n−1} from y_{2n−1}; as
 * y_0 has ¾ O_0, this is to read O_{−1} = −w₀ x_0 / 3 + w₂ x_0 there instead of O_0, and O_{n+1} instead of O_n at the other
 * end, with x_{−2} = −x_0 / 3 and x_{n+1} = −x_{n−1} / 3.
 *
 * Three odd places at a time are a correlation with two taps, F(3, 2) by Toom and Cook at the points 0, 1, −1 and ∞ (see
 * winograd-transforms.ts): four products instead of six, by sums alone,
 *
 *     Bᵀ =  1  0 −1  0      G =  1   0      Aᵀ = 1  1  1  0
 *           0  1  1  0          1/2 1/2          0  1 −1  0
 *           0 −1  1  0          1/2 −1/2         0  1  1  1
 *           0 −1  0  1           0   1
 *
 * In two dimensions rows and columns are odd or even each, which makes four sets of products, with weights from
 * `packWinograd`: both odd 16 for a tile of 3×3, one odd 4 for three pixels, both even 1 for a pixel.
 *
 * The rows are taken in bands of tiles. `doubledInput` transforms a band to matrices `[place, channel]` of the four sets,
 * which `gemm` multiplies; `doubledOutput` (doubled-output.ts) transforms the products back, filters and adds to y.
 *
 * Row `t` of the tiles has the odd rows and the even rows 3t − 1 … 3t + 1, as far as there are any; columns likewise.
 *
 * Argument words of both:
 *      0 x or y   1 height  2 width (of the map)   3 channels of x or y   4 image
 *      5 first row of tiles   6 rows of tiles   7 tiles per row
 *      8 matrices of odd rows, odd columns: a place for each tile      9 bytes between them
 *     10 matrices of odd rows, even columns: for each row of tiles and column     11 bytes between them
 *     12 matrices of even rows, odd columns: for each row of the map and tile     13 bytes between them
 *     14 the matrix of even rows, even columns: for each row and column of the map
 *     15 scratch   16 its bytes per thread
 */

/** Channels that are taken at a time, in bytes: a cache line. */
// @ts-ignore: decorator
@inline
export const blockBytes: usize = 64;

/** Odd (or even) places of a tile along an axis, and the products for the odd ones. */
// @ts-ignore: decorator
@inline
export const tileSize: i32 = 3;
// @ts-ignore: decorator
@inline
const oddProducts: i32 = 4;

/** Lines that a row of tiles has between the transforms: the odd rows' four, then the map's three. */
// @ts-ignore: decorator
@inline
const lines: i32 = oddProducts + tileSize;

// @ts-ignore: decorator
@inline
const columnBytes: usize = <usize>lines * blockBytes;

/**
 * Transforms a band of the map. Further words: 17 blocks of 16 channels per chunk   18 chunks per row of tiles
 *        19 −1/3 (f32)
 *
 * Scratch: `[column from −2 to the end of the tiles][line][16]`.
 */
export function doubledInput(args: usize, chunk: i32, thread: i32): void {
  const channels = word(args, 3);
  const tilesX = word(args, 7);
  const perRow = word(args, 18);
  const row = chunk / perRow;
  const first = (chunk - row * perRow) * word(args, 17);
  const last = min(first + word(args, 17), channels >> 4);
  const pixel = (<usize>channels) << 2;
  const columns = address(args, 15) + (<usize>thread) * address(args, 16);
  const oddStep = address(args, 9);
  const evenStep = address(args, 13);
  const height = word(args, 1);
  const width = word(args, 2);
  const top = word(args, 5) * tileSize - 1;
  const y = top + row * tileSize;
  for (let block = first; block < last; block++) {
    const channel = (<usize>block) << 6;
    inputColumns(args, row, channel, columns);
    inputEdges(columns, width, tilesX, v128.load32_splat(args, 76));
    const odd = address(args, 8) + (<usize>(row * tilesX)) * pixel + channel;
    for (let line = 0; line < oddProducts; line++) {
      inputLine(columns + (<usize>line) * blockBytes, odd + (<usize>(line * oddProducts)) * oddStep, oddStep, pixel, tilesX);
    }
    for (let i = 0; i < tileSize; i++) {
      if (<u32>(y + i) >= <u32>height) continue;
      const line = columns + (<usize>(oddProducts + i)) * blockBytes;
      const evenRow = y + i - max(top, 0);
      inputLine(line, address(args, 12) + (<usize>(evenRow * tilesX)) * pixel + channel, evenStep, pixel, tilesX);
      copyLine(line + 2 * columnBytes, address(args, 14) + (<usize>(evenRow * width)) * pixel + channel, pixel, width);
    }
  }
}

/** The lines of a row of tiles for a block of channels; those of odd rows are also the matrices of even columns. */
function inputColumns(args: usize, row: i32, channel: usize, columns: usize): void {
  const height = word(args, 1);
  const width = word(args, 2);
  const pixel = (<usize>word(args, 3)) << 2;
  const pitch = (<usize>width) * pixel;
  const x = address(args, 0) + (<usize>(word(args, 4) * height)) * pitch + channel;
  const y = (word(args, 5) + row) * tileSize;
  let r0 = x + (<usize>min(max(y - 2, 0), height - 1)) * pitch;
  let r1 = x + (<usize>min(max(y - 1, 0), height - 1)) * pitch;
  let r2 = x + (<usize>min(y, height - 1)) * pitch;
  let r3 = x + (<usize>min(y + 1, height - 1)) * pitch;
  const outside = v128.load32_splat(args, 76);
  const one = f32x4.splat(1);
  const s0 = y - 2 < -1 || y - 2 > height ? outside : one;
  const s1 = y - 1 > height ? outside : one;
  const s2 = y > height ? outside : one;
  const s3 = y + 1 > height ? outside : one;
  const step = address(args, 11);
  let mixed = address(args, 10) + (<usize>(row * width)) * pixel + channel;
  let column = columns + 2 * columnBytes;
  const end = column + (<usize>width) * columnBytes;
  do {
    let at: usize = 0;
    do {
      const d0 = f32x4.mul(v128.load(r0 + at), s0);
      const e0 = f32x4.mul(v128.load(r0 + at, 16), s0);
      const d1 = f32x4.mul(v128.load(r1 + at), s1);
      const e1 = f32x4.mul(v128.load(r1 + at, 16), s1);
      const d2 = f32x4.mul(v128.load(r2 + at), s2);
      const e2 = f32x4.mul(v128.load(r2 + at, 16), s2);
      const d3 = f32x4.mul(v128.load(r3 + at), s3);
      const e3 = f32x4.mul(v128.load(r3 + at, 16), s3);
      const t0 = f32x4.sub(d0, d2);
      const u0 = f32x4.sub(e0, e2);
      const t1 = f32x4.add(d1, d2);
      const u1 = f32x4.add(e1, e2);
      const t2 = f32x4.sub(d2, d1);
      const u2 = f32x4.sub(e2, e1);
      const t3 = f32x4.sub(d3, d1);
      const u3 = f32x4.sub(e3, e1);
      const to = column + at;
      v128.store(to, t0);
      v128.store(to, u0, 16);
      v128.store(to, t1, 64);
      v128.store(to, u1, 80);
      v128.store(to, t2, 128);
      v128.store(to, u2, 144);
      v128.store(to, t3, 192);
      v128.store(to, u3, 208);
      v128.store(to, d1, 256);
      v128.store(to, e1, 272);
      v128.store(to, d2, 320);
      v128.store(to, e2, 336);
      v128.store(to, d3, 384);
      v128.store(to, e3, 400);
      const m0 = mixed + at;
      v128.store(m0, t0);
      v128.store(m0, u0, 16);
      const m1 = m0 + step;
      v128.store(m1, t1);
      v128.store(m1, u1, 16);
      const m2 = m1 + step;
      v128.store(m2, t2);
      v128.store(m2, u2, 16);
      const m3 = m2 + step;
      v128.store(m3, t3);
      v128.store(m3, u3, 16);
      at += 32;
    } while (at != blockBytes);
    r0 += pixel;
    r1 += pixel;
    r2 += pixel;
    r3 += pixel;
    mixed += pixel;
    column += columnBytes;
  } while (column != end);
}

/** The columns beside the map, and those that fill up the last tile. */
function inputEdges(columns: usize, width: i32, tilesX: i32, outside: v128): void {
  const end = columns + (<usize>(width + 2)) * columnBytes;
  for (let at: usize = 0; at < columnBytes; at += 16) {
    const first = v128.load(columns + 2 * columnBytes + at);
    v128.store(columns + at, f32x4.mul(first, outside));
    v128.store(columns + columnBytes + at, first);
    const last = v128.load(end - columnBytes + at);
    v128.store(end + at, last);
    v128.store(end + columnBytes + at, f32x4.mul(last, outside));
  }
  memory.fill(end + 2 * columnBytes, 0, (<usize>(tileSize * tilesX - width - 3)) * columnBytes);
}

/** A line along its tiles, to four matrices. */
function inputLine(from: usize, to: usize, step: usize, pixel: usize, tilesX: i32): void {
  do {
    let at: usize = 0;
    do {
      const place = from + at;
      const d0 = v128.load(place);
      const e0 = v128.load(place, 16);
      const d1 = v128.load(place, columnBytes);
      const e1 = v128.load(place, columnBytes + 16);
      const d2 = v128.load(place, columnBytes * 2);
      const e2 = v128.load(place, columnBytes * 2 + 16);
      const d3 = v128.load(place, columnBytes * 3);
      const e3 = v128.load(place, columnBytes * 3 + 16);
      const m0 = to + at;
      v128.store(m0, f32x4.sub(d0, d2));
      v128.store(m0, f32x4.sub(e0, e2), 16);
      const m1 = m0 + step;
      v128.store(m1, f32x4.add(d1, d2));
      v128.store(m1, f32x4.add(e1, e2), 16);
      const m2 = m1 + step;
      v128.store(m2, f32x4.sub(d2, d1));
      v128.store(m2, f32x4.sub(e2, e1), 16);
      const m3 = m2 + step;
      v128.store(m3, f32x4.sub(d3, d1));
      v128.store(m3, f32x4.sub(e3, e1), 16);
      at += 32;
    } while (at != blockBytes);
    from += (<usize>tileSize) * columnBytes;
    to += pixel;
  } while (--tilesX);
}

/** A line as it is. */
function copyLine(from: usize, to: usize, pixel: usize, width: i32): void {
  do {
    memory.copy(to, from, blockBytes);
    from += columnBytes;
    to += pixel;
  } while (--width);
}
