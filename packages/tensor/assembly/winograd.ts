import { epilogue, startingBias } from './gemm-epilogue';
import { address, madd, word } from './simd';
import { transformInput, transformOutput } from './winograd-transforms';

/*
 * A 3×3 convolution by Winograd's F(4×4, 3×3) (see winograd-transforms.ts): the image is cut into tiles of 4×4 outputs,
 * each of which needs 6×6 inputs. The transformed inputs are 36 matrices `[tile, channel]`, which `gemm` multiplies by
 * the 36 transformed weights; the 36 results per tile are transformed back.
 *
 * Both transforms go along a row of tiles, 16 channels (a cache line) at a time, first down the columns, then along the
 * rows. Tiles are numbered (image, row, column).
 *
 * Argument words of both:
 *      0 image (x or y)   1 the 36 matrices   2 height  3 width  4 channels of the image
 *      5 rows of tiles per image   6 tiles per row   7 first tile   8 tiles   9 tiles per chunk
 *     10 bytes between matrices   11 bytes between rows of a matrix
 *     12 scratch   13 its bytes per thread   14 2 (f32)   15 ½ (f32)
 */

/** Channels that the transforms take at a time, in bytes. */
// @ts-ignore: decorator
@inline
const blockBytes: i32 = 64;

/** Tiles of a row that are transformed together, so that their columns stay in the first-level cache. */
// @ts-ignore: decorator
@inline
const runTiles: i32 = 8;

/** Bytes of a column's six values for a block of channels. */
// @ts-ignore: decorator
@inline
const columnBytes: usize = 384;

/**
 * Transforms the input. Further words: 16 padding above  17 padding to the left  18 3/2 (f32).
 *
 * Scratch: `[column][6][16]`, then a block of zeros.
 */
export function winogradInput(args: usize, chunk: i32, thread: i32): void {
  const tilesY = word(args, 5);
  const tilesX = word(args, 6);
  const first = word(args, 7);
  const perChunk = word(args, 9);
  const end = min(word(args, 8), (chunk + 1) * perChunk);
  const pitch = address(args, 11);
  const columns = address(args, 12) + (<usize>thread) * address(args, 13);
  memory.fill(columns + (<usize>(4 * runTiles + 2)) * columnBytes, 0, blockBytes);
  let done = chunk * perChunk;
  let to = address(args, 1) + (<usize>done) * pitch;
  while (done < end) {
    const tile = first + done;
    const line = tile / tilesX;
    const tileX = tile - line * tilesX;
    const image = line / tilesY;
    const tiles = min(min(tilesX - tileX, end - done), runTiles);
    inputRun(args, columns, image, (line - image * tilesY) * 4 - word(args, 16), tileX * 4 - word(args, 17), tiles, to);
    to += (<usize>tiles) * pitch;
    done += tiles;
  }
}

/** Transforms `tiles` tiles side by side, of which the first begins at (y, x), to rows of the matrices from `to` on. */
function inputRun(args: usize, columns: usize, image: i32, y: i32, x: i32, tiles: i32, to: usize): void {
  const height = word(args, 2);
  const width = word(args, 3);
  const channels = word(args, 4);
  const pixel = (<usize>channels) << 2;
  const pitch = (<usize>width) * pixel;
  const base = address(args, 0) + (<usize>(image * height)) * pitch;
  const matrixStep = address(args, 10);
  const rowStep = address(args, 11);
  const zeros = columns + (<usize>(4 * runTiles + 2)) * columnBytes;
  const two = v128.load32_splat(args, 56);
  const half = v128.load32_splat(args, 60);
  const threeHalves = v128.load32_splat(args, 72);
  const zero = v128.load(zeros);
  // A row outside of the image is read from the zeros.
  const in0 = <u32>y < <u32>height;
  const in1 = <u32>(y + 1) < <u32>height;
  const in2 = <u32>(y + 2) < <u32>height;
  const in3 = <u32>(y + 3) < <u32>height;
  const in4 = <u32>(y + 4) < <u32>height;
  const in5 = <u32>(y + 5) < <u32>height;
  const lastX = x + 4 * tiles + 2;
  for (let channel = 0; channel < channels; channel += blockBytes >> 2) {
    const bytes = <usize>min(((channels - channel + 3) & ~3) << 2, blockBytes);
    let column = columns;
    for (let ix = x; ix < lastX; ix++) {
      if (<u32>ix >= <u32>width) {
        for (let at: usize = 0; at < columnBytes; at += 16) v128.store(column + at, zero);
        column += columnBytes;
        continue;
      }
      const top = base + <usize>y * pitch + (<usize>ix) * pixel + ((<usize>channel) << 2);
      let r0 = in0 ? top : zeros;
      let r1 = in1 ? top + pitch : zeros;
      let r2 = in2 ? top + 2 * pitch : zeros;
      let r3 = in3 ? top + 3 * pitch : zeros;
      let r4 = in4 ? top + 4 * pitch : zeros;
      let r5 = in5 ? top + 5 * pitch : zeros;
      const columnEnd = column + bytes;
      let at = column;
      do {
        transformInput(
          v128.load(r0), v128.load(r1), v128.load(r2), v128.load(r3), v128.load(r4), v128.load(r5),
          at, at + 64, at + 128, at + 192, at + 256, at + 320, two, threeHalves, half,
        );
        r0 += 16;
        r1 += 16;
        r2 += 16;
        r3 += 16;
        r4 += 16;
        r5 += 16;
        at += 16;
      } while (at < columnEnd);
      column += columnBytes;
    }

    column = columns;
    let out = to + ((<usize>channel) << 2);
    for (let tile = 0; tile < tiles; tile++) {
      let from = column;
      let target = out;
      for (let i = 0; i < 6; i++) {
        const fromEnd = from + bytes;
        let at = from;
        let o0 = target;
        let o2 = target + 2 * matrixStep;
        let o4 = target + 4 * matrixStep;
        do {
          transformInput(
            v128.load(at), v128.load(at, 384), v128.load(at, 768), v128.load(at, 1152), v128.load(at, 1536), v128.load(at, 1920),
            o0, o0 + matrixStep, o2, o2 + matrixStep, o4, o4 + matrixStep, two, threeHalves, half,
          );
          at += 16;
          o0 += 16;
          o2 += 16;
          o4 += 16;
        } while (at < fromEnd);
        from += blockBytes;
        target += 6 * matrixStep;
      }
      column += 4 * columnBytes;
      out += rowStep;
    }
  }
}

/**
 * Transforms the products back and applies the epilogue. Further words: 16 – 20 the epilogue.
 *
 * Scratch: one tile's columns `[6][4][16]`, a block of zeros, then the outputs `[4][pixel][16]`.
 */
export function winogradOutput(args: usize, chunk: i32, thread: i32): void {
  const tilesY = word(args, 5);
  const tilesX = word(args, 6);
  const first = word(args, 7);
  const perChunk = word(args, 9);
  const end = min(word(args, 8), (chunk + 1) * perChunk);
  const pitch = address(args, 11);
  const own = address(args, 12) + (<usize>thread) * address(args, 13);
  memory.fill(own + 6 * 256, 0, blockBytes);
  let done = chunk * perChunk;
  let from = address(args, 1) + (<usize>done) * pitch;
  while (done < end) {
    const tile = first + done;
    const line = tile / tilesX;
    const tileX = tile - line * tilesX;
    const image = line / tilesY;
    const tiles = min(min(tilesX - tileX, end - done), runTiles);
    outputRun(args, own, image, (line - image * tilesY) * 4, tileX * 4, tiles, from);
    from += (<usize>tiles) * pitch;
    done += tiles;
  }
}

/** The outputs of `tiles` tiles side by side, of which the first begins at (y, x). */
function outputRun(args: usize, own: usize, image: i32, y: i32, x: i32, tiles: i32, from: usize): void {
  const height = word(args, 2);
  const width = word(args, 3);
  const channels = word(args, 4);
  const pixel = (<usize>channels) << 2;
  const matrixStep = address(args, 10);
  const rowStep = address(args, 11);
  const zeros = own + 6 * 256;
  const pixels = zeros + blockBytes;
  const linePitch = <usize>(runTiles * 4 * blockBytes);
  const two = v128.load32_splat(args, 56);
  const half = v128.load32_splat(args, 60);
  const bias = startingBias(args, 16);
  const zero = v128.load(zeros);
  const rows = min(4, height - y);
  const inRow = min(4 * tiles, width - x);
  for (let channel = 0; channel < channels; channel += blockBytes >> 2) {
    const bytes = <usize>min(((channels - channel + 3) & ~3) << 2, blockBytes);
    let source = from + ((<usize>channel) << 2);
    let out = pixels;
    for (let tile = 0; tile < tiles; tile++) {
      let column = own;
      let matrix = source;
      for (let j = 0; j < 6; j++) {
        const columnEnd = column + bytes;
        let at = column;
        let m0 = matrix;
        let m2 = matrix + 12 * matrixStep;
        let m4 = matrix + 24 * matrixStep;
        const next = 6 * matrixStep;
        do {
          transformOutput(
            v128.load(m0), v128.load(m0 + next), v128.load(m2), v128.load(m2 + next), v128.load(m4), v128.load(m4 + next),
            at, at + 64, at + 128, at + 192, zero, two, half,
          );
          at += 16;
          m0 += 16;
          m2 += 16;
          m4 += 16;
        } while (at < columnEnd);
        column += 256;
        matrix += matrixStep;
      }
      column = own;
      let line = out;
      for (let row = 0; row < rows; row++) {
        const columnEnd = column + bytes;
        let at = column;
        let to = line;
        let start = bias ? bias + ((<usize>channel) << 2) : zeros;
        do {
          transformOutput(
            v128.load(at), v128.load(at, 256), v128.load(at, 512), v128.load(at, 768), v128.load(at, 1024), v128.load(at, 1280),
            to, to + 64, to + 128, to + 192, v128.load(start), two, half,
          );
          at += 16;
          to += 16;
          start += 16;
        } while (at < columnEnd);
        column += 64;
        line += linePitch;
      }
      out += 256;
      source += rowStep;
    }

    let line = pixels;
    let offset = (<usize>((image * height + y) * width + x)) * pixel + ((<usize>channel) << 2);
    for (let row = 0; row < rows; row++) {
      const target = address(args, 0) + offset;
      epilogue(args, 16, line, blockBytes, target, pixel, inRow, min(channels - channel, blockBytes >> 2), channel, offset);
      line += linePitch;
      offset += (<usize>width) * pixel;
    }
  }
}
