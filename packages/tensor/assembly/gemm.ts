import { epilogue, isTrivial, startingBias } from './gemm-epilogue';
import { locatePixels, plainSegments, pixelBytes, tapSegments, transposeBlock } from './gemm-rows';
import { segmentBytes, tile, tilePanels, tileRows } from './gemm-tile';
import { tilePair } from './gemm-tile-pair';
import { address, word } from './simd';

/*
 * The matrix product `c[M, N] = epilogue(a[M, K] · b[K, N])`, for many matrices at once (the groups of a convolution,
 * the batch of a matmul). A chunk is a block of rows × a range of panels of one matrix over the whole of K, so that no
 * sum depends on how many threads there are. Neighbouring chunks are of the same rows, as those of other kernels are: a
 * thread finds what it wrote before in its own core's cache.
 *
 * Argument words:
 *      0 a   1 packed b   2 c   3 M   4 N   5 K
 *      6 K per block   7 rows per chunk   8 panels per chunk   9 row chunks   10 panel chunks
 *     11 floats between rows of a (of a's columns where transposed)   12 floats between rows of c
 *     13 scratch   14 its bytes per thread   15 bytes of packed b before its zeros   16 segments per tile, at most
 *  17–21 epilogue
 *     22 floats between matrices of c   23 channels between matrices   24 bytes of one packed matrix
 *     25 the terms of the sums to add, from … 26 … to; those before are in c already
 *     27 axes that the matrices lie along, then for each, innermost first: its size, floats of a and packed matrices
 *        of b from one matrix to the next
 *  then, for a convolution: H, W, C, Ho, Wo, kernel width, stride y x, padding y x, dilation y x, whether taps join,
 *        channels per tap
 */

// @ts-ignore: decorator
@inline
const epilogueAt: i32 = 17;

/** Sources of the rows of a. */
// @ts-ignore: decorator
@inline
const plain: i32 = 0;
// @ts-ignore: decorator
@inline
const transposed: i32 = 1;
// @ts-ignore: decorator
@inline
const taps: i32 = 2;

/** Rows of a lie one after the other. */
export function gemm(args: usize, chunk: i32, thread: i32): void {
  product(args, chunk, thread, plain);
}

/** a is given as `[K, M]`. */
export function gemmTransposed(args: usize, chunk: i32, thread: i32): void {
  product(args, chunk, thread, transposed);
}

/** Rows of a are what a convolution's kernel sees from each output pixel. */
export function gemmConv(args: usize, chunk: i32, thread: i32): void {
  product(args, chunk, thread, taps);
}

function product(args: usize, chunk: i32, thread: i32, source: i32): void {
  const m = word(args, 3);
  const n = word(args, 4);
  const k = word(args, 5);
  const kBlock = word(args, 6);
  const kEnd = word(args, 26);
  const mBlock = word(args, 7);
  const nBlock = word(args, 8);
  const mChunks = word(args, 9);
  const nChunks = word(args, 10);

  const nChunk = chunk % nChunks;
  chunk /= nChunks;
  const mChunk = chunk % mChunks;
  const matrix = chunk / mChunks;
  let offsetA = 0;
  let matrixB = 0;
  let rest = matrix;
  let axis = args + 4 * 28;
  for (let axes = word(args, 27); axes > 0; axes--) {
    const size = word(axis, 0);
    const index = rest % size;
    rest /= size;
    offsetA += index * word(axis, 1);
    matrixB += index * word(axis, 2);
    axis += 12;
  }
  const geometry = axis;

  const m0 = mChunk * mBlock;
  const rows = min(mBlock, m - m0);
  const firstColumn = nChunk * (nBlock << 3);
  const lastColumn = min(firstColumn + (nBlock << 3), n);

  const a = address(args, 0) + ((<usize>offsetA) << 2);
  const lda = (<usize>word(args, 11)) << 2;
  const packed = address(args, 1);
  const zeros = packed + address(args, 15);
  const panelBytes = (<usize>k) << 5;
  const b = packed + (<usize>matrixB) * address(args, 24) + (<usize>(firstColumn >> 3)) * panelBytes;
  const pitch = (<usize>word(args, 12)) << 2;
  const channel = matrix * word(args, 23);
  const offsetC = ((<usize>(matrix * word(args, 22))) << 2) + (<usize>m0) * pitch;
  const bias = startingBias(args, epilogueAt);
  const trivial = isTrivial(args, epilogueAt);

  // Scratch of this thread: the columns of an incomplete panel, the segments, then what the source needs.
  const partial = address(args, 13) + (<usize>thread) * address(args, 14);
  const table = partial + ((<usize>mBlock) << 5);
  const stride: usize = 4 + (<usize>word(args, 16)) * segmentBytes;
  const own = table + (<usize>(mBlock / tileRows)) * stride;
  if (source == taps) {
    locatePixels(
      own, a, m0, rows, word(geometry, 0), word(geometry, 1), word(geometry, 2), word(geometry, 3), word(geometry, 4),
      word(geometry, 6), word(geometry, 7), word(geometry, 8), word(geometry, 9),
    );
  }

  for (let k0 = word(args, 25); k0 < kEnd; k0 += kBlock) {
    const kLength = min(kBlock, kEnd - k0);
    if (source == taps) {
      tapSegments(
        table, stride, own, rows, k0, k0 + kLength, word(geometry, 0), word(geometry, 1), word(geometry, 2),
        word(geometry, 5), word(geometry, 10), word(geometry, 11), word(geometry, 13), word(geometry, 12), zeros,
      );
    } else if (source == transposed) {
      const ownPitch = (<usize>kBlock) << 2;
      transposeBlock(own, ownPitch, a + (<usize>k0) * lda + ((<usize>m0) << 2), lda, rows, kLength);
      plainSegments(table, stride, own, ownPitch, rows, kLength);
    } else {
      plainSegments(table, stride, a + (<usize>m0) * lda + ((<usize>k0) << 2), lda, rows, kLength);
    }
    const last = k0 + kLength == k;
    let panel = b + ((<usize>k0) << 5);
    let column = firstColumn;
    do {
      const paired = tilePanels == 2 && lastColumn - column >= 16;
      const columns = paired ? 16 : min(8, lastColumn - column);
      const offset = offsetC + ((<usize>(channel + column)) << 2);
      const target = address(args, 2) + offset;
      const to = columns < 8 ? partial : target;
      const toPitch: usize = columns < 8 ? 32 : pitch;
      const start: usize = k0 ? 0 : bias ? bias + ((<usize>(channel + column)) << 2) : zeros;
      const next: usize = k0 || bias ? 32 : 0;
      let tileTable = table;
      let tileTo = to;
      for (let row = 0; row < rows; row += tileRows) {
        const count = load<i32>(tileTable);
        if (paired) tilePair(tileTable + 4, count, panel, panelBytes, tileTo, toPitch, rows - row, start, next);
        else tile(tileTable + 4, count, panel, tileTo, toPitch, rows - row, start);
        tileTable += stride;
        tileTo += toPitch * (<usize>tileRows);
      }
      if (last && (columns < 8 || !trivial)) {
        epilogue(args, epilogueAt, to, toPitch, target, pitch, rows, columns, channel + column, offset);
      }
      panel += paired ? panelBytes << 1 : panelBytes;
      column += columns;
    } while (column < lastColumn);
  }
}
