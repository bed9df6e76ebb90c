import { address, word } from './simd';

/*
 * Packing of a product's right operand into panels of 8 columns, `[panel][K][8]`, the last panel filled up with zeros.
 */

/** Transposes 4 × 4 floats from four source addresses to four targets. */
// @ts-ignore: decorator
@inline
export function transpose4x4Store(
  s0: usize, s1: usize, s2: usize, s3: usize,
  t0: usize, t1: usize, t2: usize, t3: usize,
): void {
  const a = v128.load(s0);
  const b = v128.load(s1);
  const c = v128.load(s2);
  const d = v128.load(s3);
  const abLow = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const abHigh = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cdLow = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const cdHigh = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(t0, v128.shuffle<f64>(abLow, cdLow, 0, 2));
  v128.store(t1, v128.shuffle<f64>(abLow, cdLow, 1, 3));
  v128.store(t2, v128.shuffle<f64>(abHigh, cdHigh, 0, 2));
  v128.store(t3, v128.shuffle<f64>(abHigh, cdHigh, 1, 3));
}

/**
 * Packs matrices given by columns: `from[matrix][n][channel][tap]` becomes `to[matrix][panel][tap][channel][8]`. One
 * chunk packs `size` panels; the last one also clears the `zeros` bytes after the panels.
 *
 * args: from, to, matrices, n, channels, taps, size, zeros.
 */
export function packRows(args: usize, chunk: i32, thread: i32): void {
  const matrices = word(args, 2);
  const n = word(args, 3);
  const channels = word(args, 4);
  const taps = word(args, 5);
  const size = word(args, 6);
  const k = channels * taps;
  const pitch = (<usize>k) << 2;
  const panels = (n + 7) >> 3;
  const tapPitch = (<usize>channels) << 5;
  const end = min(matrices * panels, (chunk + 1) * size);
  for (let index = chunk * size; index < end; index++) {
    const matrix = index / panels;
    const first = (index - matrix * panels) << 3;
    const columns = min(8, n - first);
    const to = address(args, 1) + (<usize>index) * (pitch << 3);
    let from = address(args, 0) + (<usize>(matrix * n + first)) * pitch;
    if (columns < 8) memory.fill(to, 0, pitch << 3);
    let column = 0;
    for (; column + 4 <= columns; column += 4) {
      packFour(from, pitch, to + ((<usize>column) << 2), channels, taps, tapPitch);
      from += pitch << 2;
    }
    for (; column < columns; column++) {
      packOne(from, to + ((<usize>column) << 2), channels, taps, tapPitch);
      from += pitch;
    }
  }
  if (end == matrices * panels) memory.fill(address(args, 1) + (<usize>end) * (pitch << 3), 0, <usize>word(args, 7));
}

/** Four columns; the source runs over the taps of a channel first, the target over the channels of a tap. */
function packFour(from: usize, pitch: usize, to: usize, channels: i32, taps: i32, tapPitch: usize): void {
  const from1 = from + pitch;
  const from2 = from1 + pitch;
  const from3 = from2 + pitch;
  // Leads from behind a channel's last tap to the first tap of the next channel.
  const back: usize = 32 - (<usize>taps) * tapPitch;
  let left = channels * taps;
  let tap = 0;
  let at: usize = 0;
  for (; left >= 4; left -= 4) {
    const to0 = to;
    const to1 = to0 + tapPitch + (++tap == taps ? back : 0);
    if (tap == taps) tap = 0;
    const to2 = to1 + tapPitch + (++tap == taps ? back : 0);
    if (tap == taps) tap = 0;
    const to3 = to2 + tapPitch + (++tap == taps ? back : 0);
    if (tap == taps) tap = 0;
    to = to3 + tapPitch + (++tap == taps ? back : 0);
    if (tap == taps) tap = 0;
    transpose4x4Store(from + at, from1 + at, from2 + at, from3 + at, to0, to1, to2, to3);
    at += 16;
  }
  for (; left > 0; left--) {
    store<f32>(to, load<f32>(from + at));
    store<f32>(to, load<f32>(from1 + at), 4);
    store<f32>(to, load<f32>(from2 + at), 8);
    store<f32>(to, load<f32>(from3 + at), 12);
    at += 4;
    to += tapPitch;
    if (++tap == taps) {
      tap = 0;
      to += back;
    }
  }
}

function packOne(from: usize, to: usize, channels: i32, taps: i32, tapPitch: usize): void {
  for (let channel = 0; channel < channels; channel++) {
    let at = to;
    for (let tap = 0; tap < taps; tap++) {
      store<f32>(at, load<f32>(from));
      from += 4;
      at += tapPitch;
    }
    to += 32;
  }
}

/**
 * Packs matrices given by rows: `from[matrix][k][n]` becomes `to[matrix][panel][k][8]`. One chunk packs `size` rows
 * of those from `first` to `last`, counted over all matrices; that of the first row also clears the `zeros` bytes after the
 * panels.
 *
 * args: from, to, matrices, n, k, size, zeros, first, last.
 */
export function packColumns(args: usize, chunk: i32, thread: i32): void {
  const n = word(args, 3);
  const k = word(args, 4);
  const size = word(args, 5);
  const panels = (n + 7) >> 3;
  const panelPitch = (<usize>k) << 5;
  let row = word(args, 7) + chunk * size;
  const end = min(word(args, 8), row + size);
  if (row == 0) {
    const used = (<usize>(word(args, 2) * panels)) * panelPitch;
    memory.fill(address(args, 1) + used, 0, <usize>word(args, 6));
  }
  let from = address(args, 0) + ((<usize>row) * (<usize>n) << 2);
  for (; row < end; row++) {
    const matrix = row / k;
    let to = address(args, 1) + (<usize>(matrix * panels)) * panelPitch + ((<usize>(row - matrix * k)) << 5);
    let column = n;
    for (; column >= 8; column -= 8) {
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from, 16), 16);
      from += 32;
      to += panelPitch;
    }
    if (column) {
      const zero = f32x4.splat(0);
      v128.store(to, zero);
      v128.store(to, zero, 16);
      for (; column; column--) {
        store<f32>(to, load<f32>(from));
        from += 4;
        to += 4;
      }
    }
  }
}
