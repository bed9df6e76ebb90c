import { expNormal4, log4 } from './activation';
import { bestLane, largestLane, sumLanes } from './reduce-lanes';
import { address, storeFirst, word } from './simd';

/** The label at `index`; labels are u8 or i32. */
// @ts-ignore: decorator
@inline
export function labelAt(labels: usize, bytes: i32, index: i32): i32 {
  return bytes == 1 ? <i32>load<u8>(labels + <usize>index) : load<i32>(labels + (<usize>index << 2));
}

/** `Σ e^(x − largest)` over one row. */
// @ts-ignore: decorator
@inline
function sumExp(x: usize, full: usize, tail: i32, mask: v128, largest: v128): f32 {
  let total = f32x4.splat(0);
  for (let at: usize = 0; at < full; at += 16) {
    total = f32x4.add(total, expNormal4(f32x4.sub(v128.load(x + at), largest)));
  }
  if (tail) total = f32x4.add(total, v128.and(mask, expNormal4(f32x4.sub(v128.load(x + full), largest))));
  return sumLanes(total);
}

/** args: 0 x, 1 labels, 2 loss, 3 correct, 4 rows, 5 rows per chunk, 6 channels, 7 bytes of a label, 8 ignored label. */
export function crossEntropy(args: usize, chunk: i32, thread: i32): void {
  const channels = word(args, 6);
  const perChunk = word(args, 5);
  const last = min(word(args, 4), (chunk + 1) * perChunk);
  const tail = channels & 3;
  const mask = i32x4.gt_s(i32x4.splat(tail), i32x4(0, 1, 2, 3));
  const full = (<usize>channels & ~3) << 2;
  for (let row = chunk * perChunk; row < last; row++) {
    const label = labelAt(address(args, 1), word(args, 7), row);
    const at = <usize>row << 2;
    const loss = address(args, 2) + at;
    const correct = address(args, 3) + at;
    if (label == word(args, 8)) {
      store<f32>(loss, 0);
      store<f32>(correct, 0);
      continue;
    }
    const x = address(args, 0) + ((<usize>row * channels) << 2);
    let best = f32x4.splat(-Infinity);
    let index = i32x4(0, 1, 2, 3);
    let current = index;
    for (let c: usize = 0; c < full; c += 16) {
      const lanes = v128.load(x + c);
      index = v128.bitselect(current, index, f32x4.gt(lanes, best));
      best = f32x4.pmax(best, lanes);
      current = i32x4.add(current, i32x4.splat(4));
    }
    if (tail) {
      const lanes = v128.load(x + full);
      const larger = v128.and(mask, f32x4.gt(lanes, best));
      index = v128.bitselect(current, index, larger);
      best = v128.bitselect(lanes, best, larger);
    }
    const largest = largestLane(best);
    const total = sumExp(x, full, tail, mask, largest);
    const own: f32 = <u32>label < <u32>channels ? load<f32>(x + (<usize>label << 2)) : <f32>NaN;
    const log = f32x4.extract_lane(log4(f32x4.splat(total)), 0);
    store<f32>(loss, f32x4.extract_lane(largest, 0) - own + log);
    store<f32>(correct, bestLane(best, index) == label ? 1 : 0);
  }
}

/** args: 0 x, 1 labels, 2 scale, 3 gx, 4 rows, 5 rows per chunk, 6 channels, 7 bytes of a label, 8 ignored label. */
export function crossEntropyGradient(args: usize, chunk: i32, thread: i32): void {
  const channels = word(args, 6);
  const perChunk = word(args, 5);
  const last = min(word(args, 4), (chunk + 1) * perChunk);
  const tail = channels & 3;
  const mask = i32x4.gt_s(i32x4.splat(tail), i32x4(0, 1, 2, 3));
  const full = (<usize>channels & ~3) << 2;
  const scale = load<f32>(address(args, 2));
  for (let row = chunk * perChunk; row < last; row++) {
    const label = labelAt(address(args, 1), word(args, 7), row);
    const x = address(args, 0) + ((<usize>row * channels) << 2);
    const gx = address(args, 3) + ((<usize>row * channels) << 2);
    if (label == word(args, 8)) {
      memory.fill(gx, 0, <usize>channels << 2);
      continue;
    }
    let largest = tail ? v128.bitselect(v128.load(x + full), f32x4.splat(-Infinity), mask) : f32x4.splat(-Infinity);
    for (let at: usize = 0; at < full; at += 16) largest = f32x4.pmax(largest, v128.load(x + at));
    largest = largestLane(largest);
    let total = f32x4.splat(0);
    for (let at: usize = 0; at < full; at += 16) {
      const e = expNormal4(f32x4.sub(v128.load(x + at), largest));
      v128.store(gx + at, e);
      total = f32x4.add(total, e);
    }
    let ending = f32x4.splat(0);
    if (tail) {
      ending = v128.and(mask, expNormal4(f32x4.sub(v128.load(x + full), largest)));
      total = f32x4.add(total, ending);
    }
    const known = <u32>label < <u32>channels;
    const share = f32x4.splat(known ? scale / sumLanes(total) : <f32>NaN);
    for (let at: usize = 0; at < full; at += 16) v128.store(gx + at, f32x4.mul(v128.load(gx + at), share));
    if (tail) storeFirst(gx + full, f32x4.mul(ending, share), tail);
    if (known) {
      const own = gx + (<usize>label << 2);
      store<f32>(own, load<f32>(own) - scale);
    }
  }
}
