import { address, storeFirst, word } from './simd';

// @ts-ignore: decorator
@inline
const ADD: i32 = 0;
// @ts-ignore: decorator
@inline
const SUB: i32 = 1;
// @ts-ignore: decorator
@inline
const MUL: i32 = 2;
// @ts-ignore: decorator
@inline
const DIV: i32 = 3;
// @ts-ignore: decorator
@inline
const MAX: i32 = 4;
// @ts-ignore: decorator
@inline
const MIN: i32 = 5;
// @ts-ignore: decorator
@inline
const GREATER: i32 = 6;
// @ts-ignore: decorator
@inline
const EQUAL: i32 = 7;

// @ts-ignore: decorator
@inline
function apply(fn: i32, a: v128, b: v128): v128 {
  if (fn == ADD) return f32x4.add(a, b);
  if (fn == SUB) return f32x4.sub(a, b);
  if (fn == MUL) return f32x4.mul(a, b);
  if (fn == DIV) return f32x4.div(a, b);
  if (fn == MAX) return f32x4.max(a, b);
  if (fn == MIN) return f32x4.min(a, b);
  return v128.and(fn == GREATER ? f32x4.gt(a, b) : f32x4.eq(a, b), f32x4.splat(1));
}

/** One run of y; an operand that repeats along the run is `fixed`. */
// @ts-ignore: decorator
@inline
function run(fn: i32, a: usize, b: usize, y: usize, count: i32, fixedA: bool, fixedB: bool): void {
  const lanesA = v128.load32_splat(a);
  const lanesB = v128.load32_splat(b);
  const end = y + ((<usize>count & ~3) << 2);
  while (y < end) {
    v128.store(y, apply(fn, fixedA ? lanesA : v128.load(a), fixedB ? lanesB : v128.load(b)));
    if (!fixedA) a += 16;
    if (!fixedB) b += 16;
    y += 16;
  }
  if (count & 3) {
    storeFirst(y, apply(fn, fixedA ? lanesA : v128.load(a), fixedB ? lanesB : v128.load(b)), count & 3);
  }
}

/**
 * y is rows of one length; a and b either go along with a row (step 1) or repeat one element (step 0), and lie at
 * strided places for each row.
 *
 * args: a, b, y, row length, step of a, step of b, rows, rows per chunk, row elements per chunk, outer axes, then
 * per outer axis, fastest first: size, stride of a, stride of b.
 */
// @ts-ignore: decorator
@inline
function binary(fn: i32, args: usize, chunk: i32): void {
  const length = word(args, 3);
  const stepA = word(args, 4);
  const stepB = word(args, 5);
  const perChunk = word(args, 7);
  const span = word(args, 8);
  const axes = word(args, 9);
  const pieces = (length + span - 1) / span;
  const column = (chunk % pieces) * span;
  const count = min(length - column, span);
  const last = min(word(args, 6), (chunk / pieces + 1) * perChunk);
  for (let row = (chunk / pieces) * perChunk; row < last; row++) {
    let atA = column * stepA;
    let atB = column * stepB;
    let rest = row;
    for (let axis = 0; axis < axes; axis++) {
      const size = word(args, 10 + 3 * axis);
      const next = axis + 1 < axes ? rest / size : 0;
      const at = rest - next * size;
      atA += at * word(args, 11 + 3 * axis);
      atB += at * word(args, 12 + 3 * axis);
      rest = next;
    }
    const a = address(args, 0) + (<usize>atA << 2);
    const b = address(args, 1) + (<usize>atB << 2);
    const y = address(args, 2) + ((<usize>row * length + column) << 2);
    if (stepA & stepB) run(fn, a, b, y, count, false, false);
    else if (stepA) run(fn, a, b, y, count, false, true);
    else run(fn, a, b, y, count, true, false);
  }
}

export function addF32(args: usize, chunk: i32, thread: i32): void {
  binary(ADD, args, chunk);
}

export function subF32(args: usize, chunk: i32, thread: i32): void {
  binary(SUB, args, chunk);
}

export function mulF32(args: usize, chunk: i32, thread: i32): void {
  binary(MUL, args, chunk);
}

export function divF32(args: usize, chunk: i32, thread: i32): void {
  binary(DIV, args, chunk);
}

export function maximumF32(args: usize, chunk: i32, thread: i32): void {
  binary(MAX, args, chunk);
}

export function minimumF32(args: usize, chunk: i32, thread: i32): void {
  binary(MIN, args, chunk);
}

export function greaterF32(args: usize, chunk: i32, thread: i32): void {
  binary(GREATER, args, chunk);
}

export function equalF32(args: usize, chunk: i32, thread: i32): void {
  binary(EQUAL, args, chunk);
}
