import { bestLane } from './reduce-lanes';
import { address, storeFirst, word } from './simd';
import { blend, lower, resizeRow, source, weight } from './spatial-resize';

/**
 * args: 0 x, 1 y, 2 height, 3 width, 4 channels, 5 height of y, 6 width of y, 7 rows of all images of y, 8 rows per
 * chunk.
 */
export function resizeBilinear(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 2);
  const width = word(args, 3);
  const channels = word(args, 4);
  const rows = word(args, 5);
  const columns = word(args, 6);
  const perChunk = word(args, 8);
  const image = (<usize>(height * width) * channels) << 2;
  const line = (<usize>columns * channels) << 2;
  const last = min(word(args, 7), (chunk + 1) * perChunk);
  for (let row = chunk * perChunk; row < last; row++) {
    const n = row / rows;
    const x = address(args, 0) + <usize>n * image;
    const y = address(args, 1) + <usize>row * line;
    const step = <usize>channels << 2;
    resizeRow(x, height, width, channels, row - n * rows, rows, columns, y, step);
  }
}

/**
 * Resizes twice and takes the argmax. The rows between the two resizes that an output row needs are two neighbours, so
 * that each thread holds two: even ones in the first half of its scratch memory, odd ones in the second. The sums are
 * those of `resizeBilinear`, so that the labels are those of the three steps one by one.
 *
 * args: 0 x, 1 y, 2 height, 3 width, 4 channels, 5 and 6 height and width between, 7 and 8 of y, 9 rows of all images
 * of y, 10 rows per chunk, 11 scratch or 0 where the first resize changes nothing, 12 bytes of scratch per thread,
 * 13 bytes of a label.
 */
export function resizeArgmax(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 2);
  const width = word(args, 3);
  const channels = word(args, 4);
  const middleRows = word(args, 5);
  const middleColumns = word(args, 6);
  const rows = word(args, 7);
  const columns = word(args, 8);
  const perChunk = word(args, 10);
  const labelBytes = word(args, 13);
  const direct = address(args, 11) == 0;
  const pixel = direct ? <usize>channels << 2 : (<usize>(channels + 3) & ~3) << 2;
  const line = <usize>middleColumns * pixel;
  const buffer = address(args, 11) + <usize>thread * address(args, 12);
  const image = (<usize>(height * width) * channels) << 2;
  const tail = channels & 3;
  const mask = i32x4.gt_s(i32x4.splat(tail), i32x4(0, 1, 2, 3));
  const full = <usize>(channels & ~3) << 2;
  let heldEven = -1;
  let heldOdd = -1;
  const last = min(word(args, 9), (chunk + 1) * perChunk);
  for (let row = chunk * perChunk; row < last; row++) {
    const n = row / rows;
    const x = address(args, 0) + <usize>n * image;
    const positionY = source(row - n * rows, middleRows, rows);
    const rowAbove = lower(positionY, middleRows);
    const rowUnder = min(rowAbove + 1, middleRows - 1);
    let above = x + <usize>rowAbove * line;
    let under = x + <usize>rowUnder * line;
    if (!direct) {
      for (let middle = rowAbove; middle <= rowUnder; middle++) {
        const id = n * middleRows + middle;
        const odd = middle & 1;
        if ((odd ? heldOdd : heldEven) == id) continue;
        const to = buffer + <usize>odd * line;
        resizeRow(x, height, width, channels, middle, middleRows, middleColumns, to, pixel);
        if (odd) heldOdd = id;
        else heldEven = id;
      }
      above = buffer + <usize>(rowAbove & 1) * line;
      under = buffer + <usize>(rowUnder & 1) * line;
    }
    const weightY = weight(positionY, rowAbove);
    const bottom = f32x4.splat(weightY);
    const top = f32x4.splat(<f32>1 - weightY);
    let y = address(args, 1) + <usize>(row * columns) * labelBytes;
    for (let column = 0; column < columns; column++) {
      const positionX = source(column, middleColumns, columns);
      const columnLeft = lower(positionX, middleColumns);
      const weightX = weight(positionX, columnLeft);
      const right = f32x4.splat(weightX);
      const left = f32x4.splat(<f32>1 - weightX);
      const next = columnLeft < middleColumns - 1 ? pixel : 0;
      let a = above + <usize>columnLeft * pixel;
      let c = under + <usize>columnLeft * pixel;
      const end = a + full;
      let best = f32x4.splat(-Infinity);
      let index = i32x4(0, 1, 2, 3);
      let current = index;
      while (a < end) {
        const b = v128.load(a + next);
        const d = v128.load(c + next);
        const lanes = blend(v128.load(a), b, v128.load(c), d, left, right, top, bottom);
        index = v128.bitselect(current, index, f32x4.gt(lanes, best));
        best = f32x4.pmax(best, lanes);
        current = i32x4.add(current, i32x4.splat(4));
        a += 16;
        c += 16;
      }
      if (tail) {
        const b = v128.load(a + next);
        const d = v128.load(c + next);
        const lanes = blend(v128.load(a), b, v128.load(c), d, left, right, top, bottom);
        const larger = v128.and(mask, f32x4.gt(lanes, best));
        index = v128.bitselect(current, index, larger);
        best = v128.bitselect(lanes, best, larger);
      }
      const label = bestLane(best, index);
      if (labelBytes == 1) store<u8>(y, <u8>label);
      else store<i32>(y, label);
      y += labelBytes;
    }
  }
}

/** The sum of four channels over a window; up to 32 pixels are added up at a time, for accuracy. */
// @ts-ignore: decorator
@inline
function sumWindow(x: usize, rows: i32, columns: i32, pixel: usize, line: usize): v128 {
  let total = f32x4.splat(0);
  for (; rows > 0; rows--) {
    let at = x;
    let row = f32x4.splat(0);
    for (let left = columns; left > 0; left -= 32) {
      const stop = at + <usize>min(left, 32) * pixel;
      let part = v128.load(at);
      at += pixel;
      while (at != stop) {
        part = f32x4.add(part, v128.load(at));
        at += pixel;
      }
      row = f32x4.add(row, part);
    }
    total = f32x4.add(total, row);
    x += line;
  }
  return total;
}

/**
 * A unit is four channels of one output pixel, the channels fastest. args: 0 x, 1 y, 2 height, 3 width, 4 channels,
 * 5 height of y, 6 width of y, 7 units, 8 units per chunk.
 */
export function adaptiveAvgPool2d(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 2);
  const width = word(args, 3);
  const channels = word(args, 4);
  const rows = word(args, 5);
  const columns = word(args, 6);
  const perChunk = word(args, 8);
  const pixel = <usize>channels << 2;
  const line = <usize>width * pixel;
  const blocks = (channels + 3) >> 2;
  const last = min(word(args, 7), (chunk + 1) * perChunk);
  for (let unit = chunk * perChunk; unit < last; unit++) {
    const at = unit / blocks;
    const channel = (unit - at * blocks) << 2;
    const column = at % columns;
    const row = (at / columns) % rows;
    const n = at / columns / rows;
    const top = (row * height) / rows;
    const bottom = ((row + 1) * height + rows - 1) / rows;
    const left = (column * width) / columns;
    const right = ((column + 1) * width + columns - 1) / columns;
    const x = address(args, 0) + <usize>(n * height + top) * line + <usize>left * pixel + (<usize>channel << 2);
    const total = sumWindow(x, bottom - top, right - left, pixel, line);
    const share = f32x4.splat(<f32>((bottom - top) * (right - left)));
    const y = address(args, 1) + ((<usize>at * channels + channel) << 2);
    storeFirst(y, f32x4.div(total, share), channels - channel);
  }
}
