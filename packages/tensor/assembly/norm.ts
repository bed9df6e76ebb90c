import { address, float, madd, storeFirst, word } from './simd';

/** The sums of the lanes of four vectors, one in each lane. */
// @ts-ignore: decorator
@inline
function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<i32>(a, b, 0, 1, 4, 5), v128.shuffle<i32>(a, b, 2, 3, 6, 7));
  const cd = f32x4.add(v128.shuffle<i32>(c, d, 0, 1, 4, 5), v128.shuffle<i32>(c, d, 2, 3, 6, 7));
  return f32x4.add(v128.shuffle<i32>(ab, cd, 0, 2, 4, 6), v128.shuffle<i32>(ab, cd, 1, 3, 5, 7));
}

/** Lane `k` of x in every lane. */
// @ts-ignore: decorator
@inline
function spread(x: v128, k: i32): v128 {
  if (k == 0) return v128.shuffle<i32>(x, x, 0, 0, 0, 0);
  if (k == 1) return v128.shuffle<i32>(x, x, 1, 1, 1, 1);
  if (k == 2) return v128.shuffle<i32>(x, x, 2, 2, 2, 2);
  return v128.shuffle<i32>(x, x, 3, 3, 3, 3);
}

/** `((x − mean) · rate + shift) · weight + bias` over one row; an absent weight or bias is 0. */
// @ts-ignore: decorator
@inline
function writeRow(x: usize, y: usize, channels: i32, mean: v128, rate: v128, shift: v128, weight: usize, bias: usize): void {
  const end = y + ((<usize>channels & ~3) << 2);
  const tail = channels & 3;
  if (weight != 0 && bias != 0) {
    // Two vectors at a time, which an engine can join to 256 bits.
    const pairs = y + ((<usize>channels & ~7) << 2);
    while (y < pairs) {
      const first = madd(f32x4.sub(v128.load(x), mean), rate, shift);
      const second = madd(f32x4.sub(v128.load(x, 16), mean), rate, shift);
      const left = madd(first, v128.load(weight), v128.load(bias));
      const right = madd(second, v128.load(weight, 16), v128.load(bias, 16));
      v128.store(y, left);
      v128.store(y, right, 16);
      x += 32;
      y += 32;
      weight += 32;
      bias += 32;
    }
    while (y < end) {
      const normal = madd(f32x4.sub(v128.load(x), mean), rate, shift);
      v128.store(y, madd(normal, v128.load(weight), v128.load(bias)));
      x += 16;
      y += 16;
      weight += 16;
      bias += 16;
    }
    if (tail) {
      const normal = madd(f32x4.sub(v128.load(x), mean), rate, shift);
      storeFirst(y, madd(normal, v128.load(weight), v128.load(bias)), tail);
    }
    return;
  }
  while (y < end + (tail ? 16 : 0)) {
    let value = madd(f32x4.sub(v128.load(x), mean), rate, shift);
    if (weight != 0) {
      value = f32x4.mul(value, v128.load(weight));
      weight += 16;
    }
    if (bias != 0) {
      value = f32x4.add(value, v128.load(bias));
      bias += 16;
    }
    storeFirst(y, value, y < end ? 4 : tail);
    x += 16;
    y += 16;
  }
}

/**
 * Four rows at a time, so that the sums of the rows run side by side; the last row of a chunk is repeated to make four.
 * What the rounding of the mean leaves is taken off as a shift, so that rows far from 0 keep their accuracy.
 *
 * args: x, weight or 0, bias or 0, y, rows, rows per chunk, channels, eps.
 */
export function layerNorm(args: usize, chunk: i32, thread: i32): void {
  const channels = word(args, 6);
  const perChunk = word(args, 5);
  const last = min(word(args, 4), (chunk + 1) * perChunk) - 1;
  const bytes = <usize>channels << 2;
  const full = (<usize>channels & ~3) << 2;
  const tail = channels & 3;
  const mask = i32x4.gt_s(i32x4.splat(tail), i32x4(0, 1, 2, 3));
  const share = f32x4.splat(<f32>1 / <f32>channels);
  const weight = address(args, 1);
  const bias = address(args, 2);
  for (let row = chunk * perChunk; row <= last; row += 4) {
    const x0 = address(args, 0) + <usize>row * bytes;
    const x1 = address(args, 0) + <usize>min(row + 1, last) * bytes;
    const x2 = address(args, 0) + <usize>min(row + 2, last) * bytes;
    const x3 = address(args, 0) + <usize>min(row + 3, last) * bytes;

    let s0 = f32x4.splat(0);
    let s1 = f32x4.splat(0);
    let s2 = f32x4.splat(0);
    let s3 = f32x4.splat(0);
    for (let at: usize = 0; at < full; at += 16) {
      s0 = f32x4.add(s0, v128.load(x0 + at));
      s1 = f32x4.add(s1, v128.load(x1 + at));
      s2 = f32x4.add(s2, v128.load(x2 + at));
      s3 = f32x4.add(s3, v128.load(x3 + at));
    }
    if (tail) {
      s0 = f32x4.add(s0, v128.and(mask, v128.load(x0 + full)));
      s1 = f32x4.add(s1, v128.and(mask, v128.load(x1 + full)));
      s2 = f32x4.add(s2, v128.and(mask, v128.load(x2 + full)));
      s3 = f32x4.add(s3, v128.and(mask, v128.load(x3 + full)));
    }
    const means = f32x4.mul(sums(s0, s1, s2, s3), share);

    const m0 = spread(means, 0);
    const m1 = spread(means, 1);
    const m2 = spread(means, 2);
    const m3 = spread(means, 3);
    let d0 = f32x4.splat(0);
    let d1 = f32x4.splat(0);
    let d2 = f32x4.splat(0);
    let d3 = f32x4.splat(0);
    s0 = f32x4.splat(0);
    s1 = f32x4.splat(0);
    s2 = f32x4.splat(0);
    s3 = f32x4.splat(0);
    for (let at: usize = 0; at < full; at += 16) {
      const e0 = f32x4.sub(v128.load(x0 + at), m0);
      d0 = f32x4.add(d0, e0);
      s0 = madd(e0, e0, s0);
      const e1 = f32x4.sub(v128.load(x1 + at), m1);
      d1 = f32x4.add(d1, e1);
      s1 = madd(e1, e1, s1);
      const e2 = f32x4.sub(v128.load(x2 + at), m2);
      d2 = f32x4.add(d2, e2);
      s2 = madd(e2, e2, s2);
      const e3 = f32x4.sub(v128.load(x3 + at), m3);
      d3 = f32x4.add(d3, e3);
      s3 = madd(e3, e3, s3);
    }
    if (tail) {
      const e0 = v128.and(mask, f32x4.sub(v128.load(x0 + full), m0));
      d0 = f32x4.add(d0, e0);
      s0 = madd(e0, e0, s0);
      const e1 = v128.and(mask, f32x4.sub(v128.load(x1 + full), m1));
      d1 = f32x4.add(d1, e1);
      s1 = madd(e1, e1, s1);
      const e2 = v128.and(mask, f32x4.sub(v128.load(x2 + full), m2));
      d2 = f32x4.add(d2, e2);
      s2 = madd(e2, e2, s2);
      const e3 = v128.and(mask, f32x4.sub(v128.load(x3 + full), m3));
      d3 = f32x4.add(d3, e3);
      s3 = madd(e3, e3, s3);
    }
    const rests = f32x4.mul(sums(d0, d1, d2, d3), share);
    const squares = f32x4.mul(sums(s0, s1, s2, s3), share);
    const variances = f32x4.max(f32x4.sub(squares, f32x4.mul(rests, rests)), f32x4.splat(0));
    const deviations = f32x4.sqrt(f32x4.add(variances, f32x4.splat(float(args, 7))));
    const rates = f32x4.div(f32x4.splat(1), deviations);

    let next = row;
    let mean = means;
    let rate = rates;
    let shift = f32x4.neg(f32x4.mul(rests, rates));
    do {
      const at = <usize>next * bytes;
      const x = address(args, 0) + at;
      writeRow(x, address(args, 3) + at, channels, spread(mean, 0), spread(rate, 0), spread(shift, 0), weight, bias);
      mean = v128.shuffle<i32>(mean, mean, 1, 2, 3, 0);
      rate = v128.shuffle<i32>(rate, rate, 1, 2, 3, 0);
      shift = v128.shuffle<i32>(shift, shift, 1, 2, 3, 0);
      next++;
    } while (next < row + 4 && next <= last);
  }
}

/** args: mean, variance, weight or 0, bias or 0, scale, shift, channels, eps. */
export function foldBatchNorm(args: usize, chunk: i32, thread: i32): void {
  const channels = word(args, 6);
  const weight = address(args, 2);
  const bias = address(args, 3);
  const eps = float(args, 7);
  for (let i = 0; i < channels; i++) {
    const at = <usize>i << 2;
    let scale: f32 = <f32>1 / sqrt<f32>(load<f32>(address(args, 1) + at) + eps);
    if (weight) scale *= load<f32>(weight + at);
    const shift: f32 = bias ? load<f32>(bias + at) : 0;
    store<f32>(address(args, 4) + at, scale);
    store<f32>(address(args, 5) + at, shift - load<f32>(address(args, 0) + at) * scale);
  }
}

/** `y = x · scale + shift` over rows of channels. args: x, scale, shift, y, rows, rows per chunk, channels. */
export function channelAffine(args: usize, chunk: i32, thread: i32): void {
  const channels = word(args, 6);
  const perChunk = word(args, 5);
  const row = chunk * perChunk;
  const offset = (<usize>row * channels) << 2;
  let x = address(args, 0) + offset;
  let y = address(args, 3) + offset;
  const tail = channels & 3;
  const full = <usize>(channels - tail) << 2;
  const last = <usize>tail << 2;
  for (let rows = min(word(args, 4) - row, perChunk); rows > 0; rows--) {
    let scale = address(args, 1);
    let shift = address(args, 2);
    const end = y + full;
    while (y < end) {
      v128.store(y, madd(v128.load(x), v128.load(scale), v128.load(shift)));
      scale += 16;
      shift += 16;
      x += 16;
      y += 16;
    }
    if (tail) {
      storeFirst(y, madd(v128.load(x), v128.load(scale), v128.load(shift)), tail);
      x += last;
      y += last;
    }
  }
}
