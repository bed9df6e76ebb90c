import { address, madd, word } from './simd';

/*
 * The gradient of a 3×3 convolution's weights by the transpose of Winograd's F(4×4, 3×3) (see winograd-transforms.ts).
 * The convolution is `y = Aᵀ [U ∘ V] A` for each tile, with `U = G g Gᵀ` and `V = Bᵀ d B`; so
 *
 *     gradient of U = Σ over the tiles of (A gy Aᵀ) ∘ V,     gradient of g = Gᵀ (gradient of U) G.
 *
 * For each of the 36 places the sum over the tiles is a product of matrices `[O, tiles] · [tiles, C]`.
 */

/** Channels that the transform takes at a time, in bytes. */
// @ts-ignore: decorator
@inline
const blockBytes: i32 = 64;

/** Bytes of a column's six values for a block of channels. */
// @ts-ignore: decorator
@inline
const columnBytes: usize = 384;

/** A of four vectors. */
// @ts-ignore: decorator
@inline
function spreadOutput(
  y0: v128, y1: v128, y2: v128, y3: v128,
  to0: usize, to1: usize, to2: usize, to3: usize, to4: usize, to5: usize,
  two: v128, half: v128,
): void {
  const even = f32x4.add(y0, y2);
  const odd = f32x4.add(y1, y3);
  v128.store(to0, y0);
  v128.store(to1, f32x4.add(even, odd));
  v128.store(to2, f32x4.sub(even, odd));
  // By Horner's rule at ½ and −2.
  v128.store(to3, madd(madd(madd(y3, half, y2), half, y1), half, y0));
  const minusTwo = f32x4.neg(two);
  v128.store(to4, madd(madd(madd(y3, minusTwo, y2), minusTwo, y1), minusTwo, y0));
  v128.store(to5, y3);
}

/**
 * Transforms the gradient of the output. Argument words as in winograd.ts: 0 gy  1 the 36 matrices `[tile, O]`  2 height
 * 3 width  4 O  5 rows of tiles per image  6 tiles per row  7 first tile  8 tiles  9 tiles per chunk  10 bytes between
 * matrices  11 bytes between rows of a matrix  12 scratch  13 its bytes per thread  14 2 (f32)  15 ½ (f32).
 *
 * Scratch: `[4 columns][6][16]`, then a block of zeros.
 */
export function winogradOutputGradient(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 2);
  const width = word(args, 3);
  const channels = word(args, 4);
  const tilesY = word(args, 5);
  const tilesX = word(args, 6);
  const first = word(args, 7);
  const perChunk = word(args, 9);
  const end = min(word(args, 8), (chunk + 1) * perChunk);
  const matrixStep = address(args, 10);
  const rowStep = address(args, 11);
  const columns = address(args, 12) + (<usize>thread) * address(args, 13);
  const zeros = columns + 4 * columnBytes;
  const two = v128.load32_splat(args, 56);
  const half = v128.load32_splat(args, 60);
  memory.fill(zeros, 0, blockBytes);
  const pixel = (<usize>channels) << 2;
  const pitch = (<usize>width) * pixel;
  for (let done = chunk * perChunk; done < end; done++) {
    const tile = first + done;
    const line = tile / tilesX;
    const image = line / tilesY;
    const y = (line - image * tilesY) << 2;
    const x = (tile - line * tilesX) << 2;
    const rows = min(4, height - y);
    const inRow = min(4, width - x);
    const base = address(args, 0) + (<usize>((image * height + y) * width + x)) * pixel;
    const to = address(args, 1) + (<usize>done) * rowStep;
    for (let channel = 0; channel < channels; channel += blockBytes >> 2) {
      const bytes = <usize>min(((channels - channel + 3) & ~3) << 2, blockBytes);
      let column = columns;
      for (let ix = 0; ix < 4; ix++) {
        const top = base + (<usize>ix) * pixel + ((<usize>channel) << 2);
        const inside = ix < inRow;
        let r0 = inside ? top : zeros;
        let r1 = inside && rows > 1 ? top + pitch : zeros;
        let r2 = inside && rows > 2 ? top + 2 * pitch : zeros;
        let r3 = inside && rows > 3 ? top + 3 * pitch : zeros;
        const columnEnd = column + bytes;
        let at = column;
        do {
          spreadOutput(
            v128.load(r0), v128.load(r1), v128.load(r2), v128.load(r3),
            at, at + 64, at + 128, at + 192, at + 256, at + 320, two, half,
          );
          r0 += 16;
          r1 += 16;
          r2 += 16;
          r3 += 16;
          at += 16;
        } while (at < columnEnd);
        column += columnBytes;
      }
      let from = columns;
      let target = to + ((<usize>channel) << 2);
      for (let i = 0; i < 6; i++) {
        const fromEnd = from + bytes;
        let at = from;
        let o0 = target;
        let o2 = target + 2 * matrixStep;
        let o4 = target + 4 * matrixStep;
        do {
          spreadOutput(
            v128.load(at), v128.load(at, 384), v128.load(at, 768), v128.load(at, 1152),
            o0, o0 + matrixStep, o2, o2 + matrixStep, o4, o4 + matrixStep, two, half,
          );
          at += 16;
          o0 += 16;
          o2 += 16;
          o4 += 16;
        } while (at < fromEnd);
        from += blockBytes;
        target += 6 * matrixStep;
      }
    }
  }
}

/**
 * Packs rows of matrices that do not lie close together: `[matrix][row][n]` with gaps → panels `[matrix][panel][row][8]`.
 *
 * args: from, to, matrices, n, rows, bytes between rows, bytes between matrices, rows per chunk (counted over all
 * matrices), bytes of zeros after the panels.
 */
export function packTiles(args: usize, chunk: i32, thread: i32): void {
  const matrices = word(args, 2);
  const n = word(args, 3);
  const rows = word(args, 4);
  const perChunk = word(args, 7);
  const panels = (n + 7) >> 3;
  const panelBytes = (<usize>rows) << 5;
  const matrixBytes = (<usize>panels) * panelBytes;
  const full = n >> 3;
  const last = min(matrices * rows, (chunk + 1) * perChunk);
  for (let index = chunk * perChunk; index < last; index++) {
    const matrix = index / rows;
    const row = index - matrix * rows;
    let from = address(args, 0) + (<usize>matrix) * address(args, 6) + (<usize>row) * address(args, 5);
    let to = address(args, 1) + (<usize>matrix) * matrixBytes + ((<usize>row) << 5);
    for (let panel = 0; panel < full; panel++) {
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from, 16), 16);
      from += 32;
      to += panelBytes;
    }
    for (let column = full << 3; column < panels << 3; column++) {
      store<f32>(to, column < n ? load<f32>(from) : 0);
      from += 4;
      to += 4;
    }
  }
  if (last == matrices * rows) memory.fill(address(args, 1) + (<usize>matrices) * matrixBytes, 0, address(args, 8));
}

/** Gᵀ of six values, in f64 as the weights' own transform. */
// @ts-ignore: decorator
@inline
function gatherTaps(u0: f64, u1: f64, u2: f64, u3: f64, u4: f64, u5: f64, to: usize, toStep: usize): void {
  const difference = (u1 - u2) / 3;
  store<f64>(to, u0 + difference + (u4 - 16 * u3) / 15);
  store<f64>(to + toStep, (u1 + u2) / 3 - (8 * u3 + 2 * u4) / 15);
  store<f64>(to + 2 * toStep, u5 + difference + (u4 - u3) * (4.0 / 15.0));
}

/**
 * The gradient of the weights, `[O][C][3][3]`, from those of the transformed ones, `[36][O][C]`.
 *
 * args: from, to, O · C, bytes between matrices, pairs of channels per chunk, scratch, its bytes per thread.
 * Scratch: f64 `[3][6]`, then `[3]`.
 */
export function winogradWeightGradient(args: usize, chunk: i32, thread: i32): void {
  const step = address(args, 3);
  const perChunk = word(args, 4);
  const halfway = address(args, 5) + (<usize>thread) * address(args, 6);
  const row = halfway + 18 * 8;
  const last = min(word(args, 2), (chunk + 1) * perChunk);
  for (let pair = chunk * perChunk; pair < last; pair++) {
    let from = address(args, 0) + ((<usize>pair) << 2);
    // Columns of U first: place 6 i + j is row i, column j.
    for (let j: usize = 0; j < 6; j++) {
      const at = from + j * step;
      gatherTaps(
        <f64>load<f32>(at), <f64>load<f32>(at + 6 * step), <f64>load<f32>(at + 12 * step), <f64>load<f32>(at + 18 * step),
        <f64>load<f32>(at + 24 * step), <f64>load<f32>(at + 30 * step), halfway + (j << 3), 48,
      );
    }
    let to = address(args, 1) + (<usize>pair) * 36;
    for (let i: usize = 0; i < 3; i++) {
      const line = halfway + i * 48;
      gatherTaps(
        load<f64>(line), load<f64>(line, 8), load<f64>(line, 16), load<f64>(line, 24), load<f64>(line, 32), load<f64>(line, 40),
        row, 8,
      );
      store<f32>(to, <f32>load<f64>(row));
      store<f32>(to, <f32>load<f64>(row, 8), 4);
      store<f32>(to, <f32>load<f64>(row, 16), 8);
      to += 12;
    }
  }
}
