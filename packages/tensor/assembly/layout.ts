import { address, word } from './simd';

/*
 * A strided block is a matrix of rows and columns, repeated along outer axes. Strides and offsets count elements; the
 * arguments that all three copies share are
 *
 *     0 x   1 y   2 rows   3 row stride of x   4 row stride of y   5 columns   6 column stride of x
 *     7 column stride of y   8 offset in x   9 offset in y   10 units   11 units per chunk   12 outer axes
 *     13 … size, stride of x, stride of y of each outer axis, fastest first
 */

/** Where unit `index` of the outer axes begins, counted by strides at the word `which` of each axis. */
// @ts-ignore: decorator
@inline
function place(args: usize, index: i32, which: i32): i32 {
  const axes = word(args, 12);
  let at = 0;
  for (let axis = 0; axis < axes; axis++) {
    const size = word(args, 13 + 3 * axis);
    const next = axis + 1 < axes ? index / size : 0;
    at += (index - next * size) * word(args, 13 + 3 * axis + which);
    index = next;
  }
  return at;
}

/** Copies `bytes`; both places may lie anywhere. */
// @ts-ignore: decorator
@inline
function copyRun(from: usize, to: usize, bytes: usize): void {
  if (bytes >= 512) {
    memory.copy(to, from, bytes);
    return;
  }
  const end = to + bytes;
  while (to + 16 <= end) {
    v128.store(to, v128.load(from));
    from += 16;
    to += 16;
  }
  while (to + 4 <= end) {
    store<u32>(to, load<u32>(from));
    from += 4;
    to += 4;
  }
  while (to < end) {
    store<u8>(to, load<u8>(from));
    from++;
    to++;
  }
}

/**
 * Runs without gaps on both sides. A unit is a piece of a row: args 6 is the bytes of an element, args 7 the elements
 * of a piece; the rows are the outer axes (args 2 to 4 are not used).
 */
export function copyRuns(args: usize, chunk: i32, thread: i32): void {
  const columns = word(args, 5);
  const bytes = word(args, 6);
  const piece = word(args, 7);
  const pieces = (columns + piece - 1) / piece;
  const perChunk = word(args, 11);
  const last = min(word(args, 10), (chunk + 1) * perChunk);
  for (let unit = chunk * perChunk; unit < last; unit++) {
    const row = unit / pieces;
    const column = (unit - row * pieces) * piece;
    const from = address(args, 0) + <usize>(word(args, 8) + place(args, row, 1) + column) * bytes;
    const to = address(args, 1) + <usize>(word(args, 9) + place(args, row, 2) + column) * bytes;
    copyRun(from, to, <usize>min(piece, columns - column) * bytes);
  }
}

/** Any strides, element by element; a unit is one row. */
// @ts-ignore: decorator
@inline
function copyElements<T>(args: usize, chunk: i32): void {
  const columns = word(args, 5);
  const stepFrom = <usize>word(args, 6) * sizeof<T>();
  const stepTo = <usize>word(args, 7) * sizeof<T>();
  const perChunk = word(args, 11);
  const last = min(word(args, 10), (chunk + 1) * perChunk);
  for (let row = chunk * perChunk; row < last; row++) {
    let from = address(args, 0) + <usize>(word(args, 8) + place(args, row, 1)) * sizeof<T>();
    let to = address(args, 1) + <usize>(word(args, 9) + place(args, row, 2)) * sizeof<T>();
    for (let i = 0; i < columns; i++) {
      store<T>(to, load<T>(from));
      from += stepFrom;
      to += stepTo;
    }
  }
}

export function copyElements1(args: usize, chunk: i32, thread: i32): void {
  copyElements<u8>(args, chunk);
}

export function copyElements2(args: usize, chunk: i32, thread: i32): void {
  copyElements<u16>(args, chunk);
}

export function copyElements4(args: usize, chunk: i32, thread: i32): void {
  copyElements<u32>(args, chunk);
}

/** Transposes a 4×4 block of 32-bit elements. */
// @ts-ignore: decorator
@inline
function transposeBlock(from: usize, stepFrom: usize, to: usize, stepTo: usize): void {
  const a = v128.load(from);
  const b = v128.load(from + stepFrom);
  const c = v128.load(from + 2 * stepFrom);
  const d = v128.load(from + 3 * stepFrom);
  const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const ef = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const gh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i32>(ab, cd, 0, 1, 4, 5));
  v128.store(to + stepTo, v128.shuffle<i32>(ab, cd, 2, 3, 6, 7));
  v128.store(to + 2 * stepTo, v128.shuffle<i32>(ef, gh, 0, 1, 4, 5));
  v128.store(to + 3 * stepTo, v128.shuffle<i32>(ef, gh, 2, 3, 6, 7));
}

/**
 * Transposition: x has no gaps along the rows (its row stride is 1), y none along the columns. A unit is a band of
 * `tile rows` rows of one matrix, walked in tiles; the side with the longer stride gets few lines, since lines far
 * apart compete for the same places in the cache. Words 3 and 7, whose strides are 1, hold the tile's rows and columns.
 */
// @ts-ignore: decorator
@inline
function transpose<T>(args: usize, chunk: i32): void {
  const rows = word(args, 2);
  const columns = word(args, 5);
  const stepTo = <usize>word(args, 4) * sizeof<T>();
  const stepFrom = <usize>word(args, 6) * sizeof<T>();
  const tileRows = word(args, 3);
  const tileColumns = word(args, 7);
  const bands = (rows + tileRows - 1) / tileRows;
  const perChunk = word(args, 11);
  const last = min(word(args, 10), (chunk + 1) * perChunk);
  for (let unit = chunk * perChunk; unit < last; unit++) {
    const matrix = unit / bands;
    const x = address(args, 0) + <usize>(word(args, 8) + place(args, matrix, 1)) * sizeof<T>();
    const y = address(args, 1) + <usize>(word(args, 9) + place(args, matrix, 2)) * sizeof<T>();
    const top = (unit - matrix * bands) * tileRows;
    const bottom = min(rows, top + tileRows);
    for (let left = 0; left < columns; left += tileColumns) {
      const right = min(columns, left + tileColumns);
      let i = top;
      if (sizeof<T>() == 4) {
        for (; i + 4 <= bottom; i += 4) {
          let j = left;
          let from = x + ((<usize>i) << 2) + <usize>j * stepFrom;
          let to = y + <usize>i * stepTo + ((<usize>j) << 2);
          for (; j + 4 <= right; j += 4) {
            transposeBlock(from, stepFrom, to, stepTo);
            from += 4 * stepFrom;
            to += 16;
          }
          for (; j < right; j++) {
            const lanes = v128.load(from);
            v128.store32_lane(to, lanes, 0);
            v128.store32_lane(to + stepTo, lanes, 1);
            v128.store32_lane(to + 2 * stepTo, lanes, 2);
            v128.store32_lane(to + 3 * stepTo, lanes, 3);
            from += stepFrom;
            to += 4;
          }
        }
      }
      for (; i < bottom; i++) {
        let from = x + <usize>i * sizeof<T>() + <usize>left * stepFrom;
        let to = y + <usize>i * stepTo + <usize>left * sizeof<T>();
        for (let j = left; j < right; j++) {
          store<T>(to, load<T>(from));
          from += stepFrom;
          to += sizeof<T>();
        }
      }
    }
  }
}

export function transpose1(args: usize, chunk: i32, thread: i32): void {
  transpose<u8>(args, chunk);
}

export function transpose2(args: usize, chunk: i32, thread: i32): void {
  transpose<u16>(args, chunk);
}

export function transpose4(args: usize, chunk: i32, thread: i32): void {
  transpose<u32>(args, chunk);
}
