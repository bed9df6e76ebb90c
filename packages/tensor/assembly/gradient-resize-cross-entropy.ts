import { expNormal4, log4 } from './activation';
import { labelAt } from './gradient-cross-entropy';
import { accumulate, firstReader, lastReader } from './gradient-spatial';
import { bestLane, largestLane, sumLanes } from './reduce-lanes';
import { lower, source, weight } from './spatial-resize';
import { address, madd, word } from './simd';

/*
 * Cross entropy of logits that are resized to the size of the labels, pixel by pixel, so that the resized logits are never
 * stored. A thread has scratch memory for two rows of logits and one pixel, their channels rounded up to fours.
 */

/** `above · (1 − factor) + under · factor` for a row of pixels; what it reads past a pixel's channels is never used. */
// @ts-ignore: decorator
@inline
function mixRows(above: usize, under: usize, factor: f32, to: usize, width: i32, pixel: usize, padded: usize): void {
  const top = f32x4.splat(<f32>1 - factor);
  const bottom = f32x4.splat(factor);
  for (let x = 0; x < width; x++) {
    for (let at: usize = 0; at < padded; at += 16) {
      v128.store(to + at, madd(v128.load(under + at), bottom, f32x4.mul(v128.load(above + at), top)));
    }
    above += pixel;
    under += pixel;
    to += padded;
  }
}

/** The logits of an output pixel between two pixels of a mixed row; channels that are not there are −∞. */
// @ts-ignore: decorator
@inline
function mixPixels(left: usize, right: usize, factor: f32, to: usize, padded: usize, channels: i32): void {
  const first = f32x4.splat(<f32>1 - factor);
  const second = f32x4.splat(factor);
  for (let at: usize = 0; at < padded; at += 16) {
    v128.store(to + at, madd(v128.load(right + at), second, f32x4.mul(v128.load(left + at), first)));
  }
  if (channels & 3) {
    const mask = i32x4.gt_s(i32x4.splat(channels & 3), i32x4(0, 1, 2, 3));
    const last = to + padded - 16;
    v128.store(last, v128.bitselect(v128.load(last), f32x4.splat(-Infinity), mask));
  }
}

/**
 * args: 0 x, 1 labels, 2 loss, 3 correct, 4 height, 5 width, 6 channels, 7 height and 8 width of the labels, 9 rows of all label
 * maps, 10 rows per chunk, 11 scratch, 12 bytes of it per thread, 13 bytes of a label, 14 ignored label.
 */
export function resizeCrossEntropy(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 4);
  const width = word(args, 5);
  const channels = word(args, 6);
  const rows = word(args, 7);
  const columns = word(args, 8);
  const perChunk = word(args, 10);
  const pixel = <usize>channels << 2;
  const padded = (<usize>(channels + 3) & ~3) << 2;
  const line = <usize>width * pixel;
  const mixed = address(args, 11) + <usize>thread * address(args, 12);
  const logits = mixed + <usize>width * padded;
  const last = min(word(args, 9), (chunk + 1) * perChunk);
  for (let row = chunk * perChunk; row < last; row++) {
    const n = row / rows;
    const positionY = source(row - n * rows, height, rows);
    const low = lower(positionY, height);
    const above = address(args, 0) + <usize>(n * height + low) * line;
    const under = low < height - 1 ? above + line : above;
    mixRows(above, under, weight(positionY, low), mixed, width, pixel, padded);
    for (let column = 0; column < columns; column++) {
      const at = row * columns + column;
      const label = labelAt(address(args, 1), word(args, 13), at);
      const loss = address(args, 2) + (<usize>at << 2);
      const correct = address(args, 3) + (<usize>at << 2);
      if (label == word(args, 14)) {
        store<f32>(loss, 0);
        store<f32>(correct, 0);
        continue;
      }
      const positionX = source(column, width, columns);
      const lowX = lower(positionX, width);
      const left = mixed + <usize>lowX * padded;
      const right = lowX < width - 1 ? left + padded : left;
      mixPixels(left, right, weight(positionX, lowX), logits, padded, channels);
      let best = f32x4.splat(-Infinity);
      let index = i32x4(0, 1, 2, 3);
      let current = index;
      for (let c: usize = 0; c < padded; c += 16) {
        const lanes = v128.load(logits + c);
        index = v128.bitselect(current, index, f32x4.gt(lanes, best));
        best = f32x4.pmax(best, lanes);
        current = i32x4.add(current, i32x4.splat(4));
      }
      const largest = largestLane(best);
      let total = f32x4.splat(0);
      for (let c: usize = 0; c < padded; c += 16) {
        total = f32x4.add(total, expNormal4(f32x4.sub(v128.load(logits + c), largest)));
      }
      const own: f32 = <u32>label < <u32>channels ? load<f32>(logits + (<usize>label << 2)) : <f32>NaN;
      const log = f32x4.extract_lane(log4(f32x4.splat(sumLanes(total))), 0);
      store<f32>(loss, f32x4.extract_lane(largest, 0) - own + log);
      store<f32>(correct, bestLane(best, index) == label ? 1 : 0);
    }
  }
}

/** The gradient of one output pixel's logits is shared out between the two pixels of a row that it was mixed from. */
// @ts-ignore: decorator
@inline
function shareOut(logits: usize, share: f32, factor: f32, left: usize, right: usize, padded: usize): void {
  const first = f32x4.splat(share * (<f32>1 - factor));
  const second = f32x4.splat(share * factor);
  for (let c: usize = 0; c < padded; c += 16) {
    const e = v128.load(logits + c);
    v128.store(left + c, madd(e, first, v128.load(left + c)));
    v128.store(right + c, madd(e, second, v128.load(right + c)));
  }
}

/**
 * A chunk owns rows of gx and visits, in order, the rows of labels that read them; those at its borders are visited by the
 * neighbour, too. So results do not depend on how the rows are split.
 *
 * args: 0 x, 1 labels, 2 scale, 3 gx, 4 height, 5 width, 6 channels, 7 height and 8 width of the labels, 9 rows of all images of
 * gx, 10 rows per chunk, 11 scratch, 12 bytes of it per thread, 13 bytes of a label, 14 ignored label.
 */
export function resizeCrossEntropyGradient(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 4);
  const width = word(args, 5);
  const channels = word(args, 6);
  const rows = word(args, 7);
  const columns = word(args, 8);
  const perChunk = word(args, 10);
  const pixel = <usize>channels << 2;
  const padded = (<usize>(channels + 3) & ~3) << 2;
  const line = <usize>width * pixel;
  const mixed = address(args, 11) + <usize>thread * address(args, 12);
  const sums = mixed + <usize>width * padded;
  const logits = sums + <usize>width * padded;
  const scale = load<f32>(address(args, 2));
  const last = min(word(args, 9), (chunk + 1) * perChunk);
  let from = chunk * perChunk;
  memory.fill(address(args, 3) + <usize>from * line, 0, <usize>(last - from) * line);
  while (from < last) {
    const n = from / height;
    const begin = from - n * height;
    const end = min(height, begin + last - from);
    const stop = lastReader(end - 1, height, rows);
    for (let o = firstReader(begin, height, rows); o < stop; o++) {
      const positionY = source(o, height, rows);
      const low = lower(positionY, height);
      const high = min(low + 1, height - 1);
      const factorY = weight(positionY, low);
      const ownsLow = low >= begin && low < end;
      const ownsHigh = high >= begin && high < end && factorY != 0;
      if (!ownsLow && !ownsHigh) continue;
      const image = address(args, 0) + <usize>(n * height) * line;
      mixRows(image + <usize>low * line, image + <usize>high * line, factorY, mixed, width, pixel, padded);
      memory.fill(sums, 0, <usize>width * padded);
      for (let column = 0; column < columns; column++) {
        const label = labelAt(address(args, 1), word(args, 13), (n * rows + o) * columns + column);
        if (label == word(args, 14)) continue;
        const positionX = source(column, width, columns);
        const lowX = lower(positionX, width);
        const factorX = weight(positionX, lowX);
        const left = <usize>lowX * padded;
        const right = lowX < width - 1 ? left + padded : left;
        mixPixels(mixed + left, mixed + right, factorX, logits, padded, channels);
        let largest = f32x4.splat(-Infinity);
        for (let c: usize = 0; c < padded; c += 16) largest = f32x4.pmax(largest, v128.load(logits + c));
        largest = largestLane(largest);
        let totals = f32x4.splat(0);
        for (let c: usize = 0; c < padded; c += 16) {
          const e = expNormal4(f32x4.sub(v128.load(logits + c), largest));
          v128.store(logits + c, e);
          totals = f32x4.add(totals, e);
        }
        const total = sumLanes(totals);
        const known = <u32>label < <u32>channels;
        if (known) {
          const own = logits + (<usize>label << 2);
          store<f32>(own, load<f32>(own) - total);
        }
        shareOut(logits, known ? scale / total : <f32>NaN, factorX, sums + left, sums + right, padded);
      }
      const gx = address(args, 3) + <usize>(n * height) * line;
      for (let x: usize = 0; x < <usize>width; x++) {
        const part = sums + x * padded;
        if (ownsLow) accumulate(gx + <usize>low * line + x * pixel, part, <f32>1 - factorY, channels, false);
        if (ownsHigh) accumulate(gx + <usize>high * line + x * pixel, part, factorY, channels, false);
      }
    }
    from += end - begin;
  }
}
