import { address, storeFirst, word } from './simd';

/*
 * Reductions of `[outer, length, inner]` along the middle axis. Sums run in f32 for 16 steps at a time and in f64 from
 * there on, so that long sums stay exact to f32. A line may be split; the parts then meet in `reduceFinish`.
 *
 *     0 x   1 y   2 partial results (f64 [outer, parts, inner rounded up to 4]) or 0 where there is one part   3 outer
 *     4 length   5 inner   6 parts   7 length of a part   8 units   9 units per chunk   10 divisor
 */

// @ts-ignore: decorator
@inline
const SUM: i32 = 0;
// @ts-ignore: decorator
@inline
const MAX: i32 = 1;
// @ts-ignore: decorator
@inline
const MIN: i32 = 2;
// @ts-ignore: decorator
@inline
const SQUARES: i32 = 3;

// @ts-ignore: decorator
@inline
function start(fn: i32): v128 {
  if (fn == SUM || fn == SQUARES) return f32x4.splat(0);
  return f32x4.splat(fn == MAX ? -Infinity : Infinity);
}

// @ts-ignore: decorator
@inline
function join(fn: i32, a: v128, b: v128): v128 {
  if (fn == SUM || fn == SQUARES) return f32x4.add(a, b);
  return fn == MAX ? f32x4.max(a, b) : f32x4.min(a, b);
}

// @ts-ignore: decorator
@inline
function joinScalar(fn: i32, a: f64, b: f64): f64 {
  if (fn == SUM || fn == SQUARES) return a + b;
  return fn == MAX ? max<f64>(a, b) : min<f64>(a, b);
}

/** What an element contributes. */
// @ts-ignore: decorator
@inline
function term(fn: i32, x: v128): v128 {
  return fn == SQUARES ? f32x4.mul(x, x) : x;
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

/** The reduction of `count` elements without gaps. */
// @ts-ignore: decorator
@inline
function reduceRun(fn: i32, x: usize, count: i32): f64 {
  let total: f64 = fn == SUM || fn == SQUARES ? 0 : fn == MAX ? -Infinity : Infinity;
  while (count >= 16) {
    const steps = min(count >> 4, 16);
    let a = term(fn, v128.load(x));
    let b = term(fn, v128.load(x, 16));
    let c = term(fn, v128.load(x, 32));
    let d = term(fn, v128.load(x, 48));
    const end = x + ((<usize>steps) << 6);
    x += 64;
    while (x < end) {
      a = join(fn, a, term(fn, v128.load(x)));
      b = join(fn, b, term(fn, v128.load(x, 16)));
      c = join(fn, c, term(fn, v128.load(x, 32)));
      d = join(fn, d, term(fn, v128.load(x, 48)));
      x += 64;
    }
    const lanes = join(fn, join(fn, a, b), join(fn, c, d));
    const first = joinScalar(fn, <f64>f32x4.extract_lane(lanes, 0), <f64>f32x4.extract_lane(lanes, 1));
    const second = joinScalar(fn, <f64>f32x4.extract_lane(lanes, 2), <f64>f32x4.extract_lane(lanes, 3));
    total = joinScalar(fn, total, joinScalar(fn, first, second));
    count -= steps << 4;
  }
  for (; count > 0; count--) {
    const value = <f64>load<f32>(x);
    total = joinScalar(fn, total, fn == SQUARES ? value * value : value);
    x += 4;
  }
  return total;
}

/** inner is 1; a unit is one part of one line. */
// @ts-ignore: decorator
@inline
function reduceRows(fn: i32, args: usize, chunk: i32): void {
  const length = word(args, 4);
  const parts = word(args, 6);
  const size = word(args, 7);
  const partial = address(args, 2);
  const perChunk = word(args, 9);
  const last = min(word(args, 8), (chunk + 1) * perChunk);
  for (let unit = chunk * perChunk; unit < last; unit++) {
    const line = parts == 1 ? unit : unit / parts;
    const from = (unit - line * parts) * size;
    const x = address(args, 0) + ((<usize>line * length + from) << 2);
    const total = reduceRun(fn, x, min(size, length - from));
    if (partial) store<f64>(partial + ((<usize>unit) << 5), total);
    else store<f32>(address(args, 1) + ((<usize>unit) << 2), <f32>(total / <f64>word(args, 10)));
  }
}

/** Stores the results of four columns, of which `count` exist. */
// @ts-ignore: decorator
@inline
function emit(y: usize, partial: usize, lowHalf: v128, highHalf: v128, divisor: v128, count: i32): void {
  if (partial) {
    v128.store(partial, lowHalf);
    v128.store(partial, highHalf, 16);
    return;
  }
  const a = f32x4.demote_f64x2_zero(f64x2.div(lowHalf, divisor));
  const b = f32x4.demote_f64x2_zero(f64x2.div(highHalf, divisor));
  storeFirst(y, v128.shuffle<i32>(a, b, 0, 1, 4, 5), count);
}

/** inner is above 1; a unit is 16 columns of one part of one outer index. */
// @ts-ignore: decorator
@inline
function reduceColumns(fn: i32, args: usize, chunk: i32): void {
  const length = word(args, 4);
  const inner = word(args, 5);
  const parts = word(args, 6);
  const size = word(args, 7);
  const stride = <usize>inner << 2;
  const blocks = (inner + 15) >> 4;
  const padded = (<usize>inner + 3) & ~3;
  const divisor = f64x2.splat(<f64>word(args, 10));
  const perChunk = word(args, 9);
  const last = min(word(args, 8), (chunk + 1) * perChunk);
  for (let unit = chunk * perChunk; unit < last; unit++) {
    const line = unit / blocks;
    const outer = line / parts;
    const from = (line - outer * parts) * size;
    const count = min(size, length - from);
    const end = min(inner, ((unit - line * blocks) << 4) + 16);
    for (let column = (unit - line * blocks) << 4; column < end; column += 4) {
      let x = address(args, 0) + ((<usize>(outer * length + from) * inner + column) << 2);
      const y = address(args, 1) + ((<usize>outer * inner + column) << 2);
      const partial = address(args, 2) ? address(args, 2) + ((<usize>line * padded + column) << 3) : 0;
      if (fn == SUM || fn == SQUARES) {
        let a = f64x2.splat(0);
        let b = f64x2.splat(0);
        for (let left = count; left > 0; left -= 16) {
          let lanes = term(fn, v128.load(x));
          const stop = x + <usize>min(left, 16) * stride;
          x += stride;
          while (x != stop) {
            lanes = f32x4.add(lanes, term(fn, v128.load(x)));
            x += stride;
          }
          a = f64x2.add(a, low(lanes));
          b = f64x2.add(b, high(lanes));
        }
        emit(y, partial, a, b, divisor, end - column);
      } else {
        let lanes = start(fn);
        for (let left = count; left > 0; left--) {
          lanes = join(fn, lanes, v128.load(x));
          x += stride;
        }
        emit(y, partial, low(lanes), high(lanes), divisor, end - column);
      }
    }
  }
}

/** Joins the parts; a unit is one outer index. */
// @ts-ignore: decorator
@inline
function finish(fn: i32, args: usize, chunk: i32): void {
  const inner = word(args, 5);
  const parts = word(args, 6);
  const padded = (<usize>inner + 3) & ~3;
  const perChunk = word(args, 9);
  const last = min(word(args, 3), (chunk + 1) * perChunk);
  for (let outer = chunk * perChunk; outer < last; outer++) {
    for (let i = 0; i < inner; i++) {
      let at = address(args, 2) + ((<usize>outer * parts * padded + i) << 3);
      let total = load<f64>(at);
      for (let part = 1; part < parts; part++) {
        at += padded << 3;
        total = joinScalar(fn, total, load<f64>(at));
      }
      store<f32>(address(args, 1) + ((<usize>outer * inner + i) << 2), <f32>(total / <f64>word(args, 10)));
    }
  }
}

export function sumRows(args: usize, chunk: i32, thread: i32): void {
  reduceRows(SUM, args, chunk);
}

export function sumSquaresRows(args: usize, chunk: i32, thread: i32): void {
  reduceRows(SQUARES, args, chunk);
}

export function maxRows(args: usize, chunk: i32, thread: i32): void {
  reduceRows(MAX, args, chunk);
}

export function minRows(args: usize, chunk: i32, thread: i32): void {
  reduceRows(MIN, args, chunk);
}

export function sumColumns(args: usize, chunk: i32, thread: i32): void {
  reduceColumns(SUM, args, chunk);
}

export function sumSquaresColumns(args: usize, chunk: i32, thread: i32): void {
  reduceColumns(SQUARES, args, chunk);
}

export function maxColumns(args: usize, chunk: i32, thread: i32): void {
  reduceColumns(MAX, args, chunk);
}

export function minColumns(args: usize, chunk: i32, thread: i32): void {
  reduceColumns(MIN, args, chunk);
}

export function sumFinish(args: usize, chunk: i32, thread: i32): void {
  finish(SUM, args, chunk);
}

export function maxFinish(args: usize, chunk: i32, thread: i32): void {
  finish(MAX, args, chunk);
}

export function minFinish(args: usize, chunk: i32, thread: i32): void {
  finish(MIN, args, chunk);
}
