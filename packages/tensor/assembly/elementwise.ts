import { exp4, gelu4, log4, relu4, sigmoid4, silu4 } from './activation';
import { address, madd, storeFirst, word } from './simd';
import { ABS, EXP, GELU, LOG, NEG, RELU, SIGMOID, SILU, SQRT } from './unary-functions';

// @ts-ignore: decorator
@inline
function apply(fn: i32, x: v128): v128 {
  if (fn == RELU) return relu4(x);
  if (fn == GELU) return gelu4(x);
  if (fn == SILU) return silu4(x);
  if (fn == SIGMOID) return sigmoid4(x);
  if (fn == EXP) return exp4(x);
  if (fn == LOG) return log4(x);
  if (fn == SQRT) return f32x4.sqrt(x);
  if (fn == ABS) return f32x4.abs(x);
  return f32x4.neg(x);
}

/** args: x, y, length, chunk length (a multiple of 4). */
// @ts-ignore: decorator
@inline
function unary(fn: i32, args: usize, chunk: i32): void {
  const size = word(args, 3);
  const first = chunk * size;
  const count = min(word(args, 2) - first, size);
  let x = address(args, 0) + ((<usize>first) << 2);
  let y = address(args, 1) + ((<usize>first) << 2);
  const end = y + ((<usize>count & ~7) << 2);
  // Two vectors at a time, which an engine can join to 256 bits.
  while (y < end) {
    const first = apply(fn, v128.load(x));
    const second = apply(fn, v128.load(x, 16));
    v128.store(y, first);
    v128.store(y, second, 16);
    x += 32;
    y += 32;
  }
  if (count & 4) {
    v128.store(y, apply(fn, v128.load(x)));
    x += 16;
    y += 16;
  }
  if (count & 3) storeFirst(y, apply(fn, v128.load(x)), count & 3);
}

export function reluF32(args: usize, chunk: i32, thread: i32): void {
  unary(RELU, args, chunk);
}

export function geluF32(args: usize, chunk: i32, thread: i32): void {
  unary(GELU, args, chunk);
}

export function siluF32(args: usize, chunk: i32, thread: i32): void {
  unary(SILU, args, chunk);
}

export function sigmoidF32(args: usize, chunk: i32, thread: i32): void {
  unary(SIGMOID, args, chunk);
}

export function expF32(args: usize, chunk: i32, thread: i32): void {
  unary(EXP, args, chunk);
}

export function logF32(args: usize, chunk: i32, thread: i32): void {
  unary(LOG, args, chunk);
}

export function sqrtF32(args: usize, chunk: i32, thread: i32): void {
  unary(SQRT, args, chunk);
}

export function absF32(args: usize, chunk: i32, thread: i32): void {
  unary(ABS, args, chunk);
}

export function negF32(args: usize, chunk: i32, thread: i32): void {
  unary(NEG, args, chunk);
}

/** `z = x + scale · y` over rows of channels. args: x, y, scale, z, rows, rows per chunk, channels. */
export function addScaled(args: usize, chunk: i32, thread: i32): void {
  const channels = word(args, 6);
  const perChunk = word(args, 5);
  const row = chunk * perChunk;
  const offset = (<usize>row * channels) << 2;
  let x = address(args, 0) + offset;
  let y = address(args, 1) + offset;
  let z = address(args, 3) + offset;
  const tail = channels & 3;
  const full = <usize>(channels - tail) << 2;
  const last = <usize>tail << 2;
  for (let rows = min(word(args, 4) - row, perChunk); rows > 0; rows--) {
    let scale = address(args, 2);
    const end = z + full;
    while (z < end) {
      v128.store(z, madd(v128.load(scale), v128.load(y), v128.load(x)));
      scale += 16;
      x += 16;
      y += 16;
      z += 16;
    }
    if (tail) {
      storeFirst(z, madd(v128.load(scale), v128.load(y), v128.load(x)), tail);
      x += last;
      y += last;
      z += last;
    }
  }
}
