import { sumLanes } from './reduce-lanes';
import { address, float, madd, storeFirst, word } from './simd';

/*
 * Sums over rows are taken in blocks of rows, whose number depends on the shape alone: in f32 within a block, in f64 from
 * block to block, in order. They do not depend on the number of threads.
 */

// @ts-ignore: decorator
@inline
function tailMask(channels: i32): v128 {
  return i32x4.gt_s(i32x4.splat(channels & 3), i32x4(0, 1, 2, 3));
}

// @ts-ignore: decorator
@inline
function low(x: v128): v128 {
  return f64x2.promote_low_f32x4(x);
}

// @ts-ignore: decorator
@inline
function high(x: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i32>(x, x, 2, 3, 2, 3));
}

/** Four f64 numbers in two vectors as f32. */
// @ts-ignore: decorator
@inline
function demote(lowHalf: v128, highHalf: v128): v128 {
  return v128.shuffle<i32>(f32x4.demote_f64x2_zero(lowHalf), f32x4.demote_f64x2_zero(highHalf), 0, 1, 4, 5);
}

/** The mean of a row, rounded. */
// @ts-ignore: decorator
@inline
function rowMean(x: usize, full: usize, tail: i32, mask: v128, share: f32): f32 {
  let a = tail ? v128.and(mask, v128.load(x + full)) : f32x4.splat(0);
  let b = f32x4.splat(0);
  let at: usize = 0;
  for (; at + 32 <= full; at += 32) {
    a = f32x4.add(a, v128.load(x + at));
    b = f32x4.add(b, v128.load(x + at, 16));
  }
  if (at < full) a = f32x4.add(a, v128.load(x + at));
  return sumLanes(f32x4.add(a, b)) * share;
}

/**
 * Per row: the mean; then the distances `d` from it with their squares and products with `g = gy · weight`; then the result
 * `rate · (g − mean(g) − (d − rest) · slope)`. What the rounding of the mean leaves of the distances is `rest`.
 *
 * args: 0 x, 1 gy, 2 weight or 0, 3 gx, 4 rows, 5 rows per chunk, 6 channels, 7 eps.
 */
export function layerNormGradient(args: usize, chunk: i32, thread: i32): void {
  const channels = word(args, 6);
  const perChunk = word(args, 5);
  const last = min(word(args, 4), (chunk + 1) * perChunk);
  const bytes = <usize>channels << 2;
  const full = (<usize>channels & ~3) << 2;
  const tail = channels & 3;
  const mask = tailMask(channels);
  const share = <f32>1 / <f32>channels;
  const weight = address(args, 2);
  const eps = float(args, 7);
  const one = f32x4.splat(1);
  for (let row = chunk * perChunk; row < last; row++) {
    const x = address(args, 0) + <usize>row * bytes;
    const gy = address(args, 1) + <usize>row * bytes;
    const gx = address(args, 3) + <usize>row * bytes;
    const mean = f32x4.splat(rowMean(x, full, tail, mask, share));
    let rests = f32x4.splat(0);
    let squares = rests;
    let plain = rests;
    let products = rests;
    for (let at: usize = 0; at < full; at += 16) {
      const d = f32x4.sub(v128.load(x + at), mean);
      const g = f32x4.mul(v128.load(gy + at), weight ? v128.load(weight + at) : one);
      rests = f32x4.add(rests, d);
      squares = madd(d, d, squares);
      plain = f32x4.add(plain, g);
      products = madd(d, g, products);
    }
    if (tail) {
      const d = v128.and(mask, f32x4.sub(v128.load(x + full), mean));
      const g = v128.and(mask, f32x4.mul(v128.load(gy + full), weight ? v128.load(weight + full) : one));
      rests = f32x4.add(rests, d);
      squares = madd(d, d, squares);
      plain = f32x4.add(plain, g);
      products = madd(d, g, products);
    }
    const rest = sumLanes(rests) * share;
    const variance = max<f32>(sumLanes(squares) * share - rest * rest, 0);
    const rate: f32 = <f32>1 / sqrt<f32>(variance + eps);
    const average = sumLanes(plain) * share;
    const slope = rate * rate * (sumLanes(products) * share - rest * average);
    const shift = f32x4.splat(rest * slope - average);
    const slopes = f32x4.splat(-slope);
    const rates = f32x4.splat(rate);
    for (let at: usize = 0; at < full; at += 16) {
      const d = f32x4.sub(v128.load(x + at), mean);
      const g = f32x4.mul(v128.load(gy + at), weight ? v128.load(weight + at) : one);
      v128.store(gx + at, f32x4.mul(rates, f32x4.add(madd(d, slopes, g), shift)));
    }
    if (tail) {
      const d = f32x4.sub(v128.load(x + full), mean);
      const g = f32x4.mul(v128.load(gy + full), weight ? v128.load(weight + full) : one);
      storeFirst(gx + full, f32x4.mul(rates, f32x4.add(madd(d, slopes, g), shift)), tail);
    }
  }
}

/**
 * `Σ gy · x̂` and `Σ gy` of one block of rows for each channel. args: 0 x, 1 gy, 2 partial results
 * (f32 [blocks, 2, channels rounded up to 4]), 3 rows, 4 rows per block, 5 channels, 6 eps.
 */
export function layerNormParameterBlocks(args: usize, chunk: i32, thread: i32): void {
  const channels = word(args, 5);
  const perBlock = word(args, 4);
  const last = min(word(args, 3), (chunk + 1) * perBlock);
  const bytes = <usize>channels << 2;
  const full = (<usize>channels & ~3) << 2;
  const padded = (<usize>(channels + 3) & ~3) << 2;
  const tail = channels & 3;
  const mask = tailMask(channels);
  const share = <f32>1 / <f32>channels;
  const weights = address(args, 2) + <usize>chunk * 2 * padded;
  const biases = weights + padded;
  memory.fill(weights, 0, 2 * padded);
  for (let row = chunk * perBlock; row < last; row++) {
    const x = address(args, 0) + <usize>row * bytes;
    const gy = address(args, 1) + <usize>row * bytes;
    const mean = rowMean(x, full, tail, mask, share);
    const means = f32x4.splat(mean);
    let rests = f32x4.splat(0);
    let squares = rests;
    for (let at: usize = 0; at < full; at += 16) {
      const d = f32x4.sub(v128.load(x + at), means);
      rests = f32x4.add(rests, d);
      squares = madd(d, d, squares);
    }
    if (tail) {
      const d = v128.and(mask, f32x4.sub(v128.load(x + full), means));
      rests = f32x4.add(rests, d);
      squares = madd(d, d, squares);
    }
    const rest = sumLanes(rests) * share;
    const variance = max<f32>(sumLanes(squares) * share - rest * rest, 0);
    const rate: f32 = <f32>1 / sqrt<f32>(variance + float(args, 6));
    const rates = f32x4.splat(rate);
    const shift = f32x4.splat(-rest * rate);
    for (let at: usize = 0; at < padded; at += 16) {
      const g = v128.load(gy + at);
      const normal = madd(f32x4.sub(v128.load(x + at), means), rates, shift);
      v128.store(weights + at, madd(g, normal, v128.load(weights + at)));
      v128.store(biases + at, f32x4.add(g, v128.load(biases + at)));
    }
  }
}

/**
 * Joins blocks. args: 0 partial results (f32 [blocks, 2, padded]), 1 weight, 2 bias, 3 blocks, 4 channels, 5 fours of
 * channels, 6 of them per chunk.
 */
export function joinParameterBlocks(args: usize, chunk: i32, thread: i32): void {
  const blocks = word(args, 3);
  const channels = word(args, 4);
  const perChunk = word(args, 6);
  const padded = (<usize>(channels + 3) & ~3) << 2;
  const last = min(word(args, 5), (chunk + 1) * perChunk);
  for (let four = chunk * perChunk; four < last; four++) {
    let at = address(args, 0) + (<usize>four << 4);
    let w0 = f64x2.splat(0);
    let w1 = w0;
    let b0 = w0;
    let b1 = w0;
    for (let block = 0; block < blocks; block++) {
      const w = v128.load(at);
      const b = v128.load(at + padded);
      w0 = f64x2.add(w0, low(w));
      w1 = f64x2.add(w1, high(w));
      b0 = f64x2.add(b0, low(b));
      b1 = f64x2.add(b1, high(b));
      at += 2 * padded;
    }
    const count = channels - (four << 2);
    storeFirst(address(args, 1) + (<usize>four << 4), demote(w0, w1), count);
    storeFirst(address(args, 2) + (<usize>four << 4), demote(b0, b1), count);
  }
}

/**
 * Of one block of rows for each channel: the mean, rounded, and the sums of the distances from it and of their squares. args:
 * 0 x, 1 partial results (f32 [blocks, 3, channels rounded up to 4]), 2 rows, 3 rows per block, 4 channels.
 */
export function channelMomentBlocks(args: usize, chunk: i32, thread: i32): void {
  const channels = word(args, 4);
  const perBlock = word(args, 3);
  const rows = min(word(args, 2) - chunk * perBlock, perBlock);
  const stride = <usize>channels << 2;
  const padded = (<usize>(channels + 3) & ~3) << 2;
  const share = f32x4.splat(<f32>1 / <f32>rows);
  const x = address(args, 0) + <usize>chunk * <usize>perBlock * stride;
  const end = <usize>rows * stride;
  let to = address(args, 1) + <usize>chunk * 3 * padded;
  for (let column: usize = 0; column < padded; column += 16) {
    const from = x + column;
    let sum = f32x4.splat(0);
    for (let at: usize = 0; at < end; at += stride) sum = f32x4.add(sum, v128.load(from + at));
    const mean = f32x4.mul(sum, share);
    let rests = f32x4.splat(0);
    let squares = rests;
    for (let at: usize = 0; at < end; at += stride) {
      const d = f32x4.sub(v128.load(from + at), mean);
      rests = f32x4.add(rests, d);
      squares = madd(d, d, squares);
    }
    v128.store(to, mean);
    v128.store(to + padded, rests);
    v128.store(to + 2 * padded, squares);
    to += 16;
  }
}

/**
 * Joins the moments of blocks by Chan's rule. args: 0 partial results, 1 mean, 2 variance, 3 rows, 4 rows per block,
 * 5 channels, 6 channels per chunk.
 */
export function joinMomentBlocks(args: usize, chunk: i32, thread: i32): void {
  const rows = word(args, 3);
  const perBlock = word(args, 4);
  const channels = word(args, 5);
  const perChunk = word(args, 6);
  const padded = (<usize>(channels + 3) & ~3) << 2;
  const last = min(channels, (chunk + 1) * perChunk);
  for (let channel = chunk * perChunk; channel < last; channel++) {
    let at = address(args, 0) + (<usize>channel << 2);
    let mean: f64 = 0;
    let squares: f64 = 0;
    let done: f64 = 0;
    for (let row = 0; row < rows; row += perBlock) {
      const count = <f64>min(perBlock, rows - row);
      const rests = <f64>load<f32>(at + padded);
      const difference = <f64>load<f32>(at) + rests / count - mean;
      const total = done + count;
      squares += <f64>load<f32>(at + 2 * padded) - (rests * rests) / count;
      squares += (difference * difference * done * count) / total;
      mean += (difference * count) / total;
      done = total;
      at += 3 * padded;
    }
    store<f32>(address(args, 1) + (<usize>channel << 2), <f32>mean);
    store<f32>(address(args, 2) + (<usize>channel << 2), <f32>(max<f64>(squares, 0) / max<f64>(done, 1)));
  }
}

/**
 * `Σ gy · x̂` and `Σ gy` of one block of rows for each channel, x̂ by the channel's mean and variance. args: 0 x, 1 gy,
 * 2 mean, 3 variance, 4 partial results (f32 [blocks, 2, channels rounded up to 4]), 5 rows, 6 rows per block, 7 channels,
 * 8 eps.
 */
export function batchNormBlocks(args: usize, chunk: i32, thread: i32): void {
  const channels = word(args, 7);
  const perBlock = word(args, 6);
  const rows = min(word(args, 5) - chunk * perBlock, perBlock);
  const stride = <usize>channels << 2;
  const padded = (<usize>(channels + 3) & ~3) << 2;
  const first = <usize>chunk * <usize>perBlock * stride;
  const x = address(args, 0) + first;
  const gy = address(args, 1) + first;
  const end = <usize>rows * stride;
  const eps = f32x4.splat(float(args, 8));
  let to = address(args, 4) + <usize>chunk * 2 * padded;
  for (let column: usize = 0; column < padded; column += 16) {
    const mean = v128.load(address(args, 2) + column);
    const deviation = f32x4.sqrt(f32x4.add(v128.load(address(args, 3) + column), eps));
    let products = f32x4.splat(0);
    let plain = products;
    for (let at = column; at < end + column; at += stride) {
      const g = v128.load(gy + at);
      products = madd(g, f32x4.sub(v128.load(x + at), mean), products);
      plain = f32x4.add(plain, g);
    }
    v128.store(to, f32x4.div(products, deviation));
    v128.store(to + padded, plain);
    to += 16;
  }
}

/**
 * The numbers of a channel that `batchNormGradient` needs: factor, mean, and what each of gy and x̂ takes off. args: 0 mean,
 * 1 variance, 2 weight or 0, 3 gradient of the weight, 4 of the bias, 5 to (f32 [4, channels rounded up to 4]), 6 channels,
 * 7 count, 8 eps.
 */
export function foldBatchNormGradient(args: usize, chunk: i32, thread: i32): void {
  const channels = word(args, 6);
  const padded = (<usize>(channels + 3) & ~3) << 2;
  const weight = address(args, 2);
  const count = <f64>float(args, 7);
  for (let channel = 0; channel < channels; channel++) {
    const at = <usize>channel << 2;
    const to = address(args, 5) + at;
    const rate = 1 / sqrt<f64>(<f64>load<f32>(address(args, 1) + at) + <f64>float(args, 8));
    store<f32>(to, <f32>(rate * (weight ? <f64>load<f32>(weight + at) : 1)));
    store<f32>(to + padded, load<f32>(address(args, 0) + at));
    store<f32>(to + 2 * padded, <f32>(<f64>load<f32>(address(args, 4) + at) / count));
    store<f32>(to + 3 * padded, <f32>((rate * <f64>load<f32>(address(args, 3) + at)) / count));
  }
}

/** args: 0 x, 1 gy, 2 what `foldBatchNormGradient` made, 3 gx, 4 rows, 5 rows per chunk, 6 channels. */
export function batchNormGradient(args: usize, chunk: i32, thread: i32): void {
  const channels = word(args, 6);
  const perChunk = word(args, 5);
  const row = chunk * perChunk;
  const bytes = <usize>channels << 2;
  const full = (<usize>channels & ~3) << 2;
  const padded = (<usize>(channels + 3) & ~3) << 2;
  const tail = channels & 3;
  let x = address(args, 0) + <usize>row * bytes;
  let gy = address(args, 1) + <usize>row * bytes;
  let gx = address(args, 3) + <usize>row * bytes;
  const factors = address(args, 2);
  const means = factors + padded;
  const shifts = means + padded;
  const slopes = shifts + padded;
  for (let rows = min(word(args, 4) - row, perChunk); rows > 0; rows--) {
    for (let at: usize = 0; at < padded; at += 16) {
      const taken = f32x4.mul(f32x4.sub(v128.load(x + at), v128.load(means + at)), v128.load(slopes + at));
      const kept = f32x4.sub(f32x4.sub(v128.load(gy + at), v128.load(shifts + at)), taken);
      const result = f32x4.mul(kept, v128.load(factors + at));
      if (at < full) v128.store(gx + at, result);
      else storeFirst(gx + at, result, tail);
    }
    x += bytes;
    gy += bytes;
    gx += bytes;
  }
}
