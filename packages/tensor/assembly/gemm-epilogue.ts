import { gelu4, sigmoid4, silu4 } from './activation';
import { madd, word } from './simd';

/*
 * The epilogue of a product, applied to a block that still lies in the cache. Its argument words, from `at` on:
 *
 *     0 scale   1 bias   2 layerScale   3 residual   4 activation (0 none, 1 relu, 2 gelu, 3 silu, 4 sigmoid)
 */

/** Number of argument words of an epilogue. */
// @ts-ignore: decorator
@inline
export const epilogueWords: i32 = 5;

/** The bias's address where a product may start from it, that is where no scale comes in between; else 0. */
// @ts-ignore: decorator
@inline
export function startingBias(args: usize, at: i32): usize {
  return word(args, at) == 0 ? <usize>(<u32>word(args, at + 1)) : 0;
}

/** Whether nothing but a bias that {@link startingBias} has dealt with is left to do. */
// @ts-ignore: decorator
@inline
export function isTrivial(args: usize, at: i32): bool {
  return (word(args, at) | word(args, at + 2) | word(args, at + 3) | word(args, at + 4)) == 0;
}

// @ts-ignore: decorator
@inline
function vector(base: usize, offset: usize, absent: f32): v128 {
  return base ? v128.load(base + offset) : f32x4.splat(absent);
}

/** Stores the first `count` lanes. */
// @ts-ignore: decorator
@inline
export function storeLanes(to: usize, value: v128, count: i32): void {
  if (count >= 4) {
    v128.store(to, value);
    return;
  }
  if (count > 0) v128.store32_lane(to, value, 0);
  if (count > 1) v128.store32_lane(to, value, 1, 4);
  if (count > 2) v128.store32_lane(to, value, 2, 8);
}

// @ts-ignore: decorator
@inline
function activate(value: v128, kind: i32): v128 {
  if (kind == 2) return gelu4(value);
  if (kind == 3) return silu4(value);
  if (kind == 4) return sigmoid4(value);
  return value;
}

/** `rows` × 4 columns; `kind` is a constant where this is inlined. `count` of the columns are stored. */
// @ts-ignore: decorator
@inline
function strip(
  from: usize, fromPitch: usize, to: usize, toPitch: usize, residual: usize, residualPitch: usize,
  rows: i32, count: i32, scale: v128, bias: v128, layerScale: v128, floor: v128, kind: i32,
): void {
  do {
    let value = madd(v128.load(from), scale, bias);
    value = kind < 2 ? f32x4.pmax(value, floor) : activate(value, kind);
    if (residual) {
      value = madd(value, layerScale, v128.load(residual));
      residual += residualPitch;
    } else {
      value = f32x4.mul(value, layerScale);
    }
    storeLanes(to, value, count);
    from += fromPitch;
    to += toPitch;
  } while (--rows);
}

/**
 * Applies the epilogue to `rows` × `columns` values at `from` and stores them at `to`, which may be the same place.
 * `channel` is the first column's channel, `offset` its place in the result in bytes (where the residual is read);
 * pitches are in bytes. The bias is left out where {@link startingBias} took it.
 */
export function epilogue(
  args: usize, at: i32, from: usize, fromPitch: usize, to: usize, toPitch: usize,
  rows: i32, columns: i32, channel: i32, offset: usize,
): void {
  const scaleBase = <usize>(<u32>word(args, at));
  const biasBase = scaleBase ? <usize>(<u32>word(args, at + 1)) : 0;
  const layerScaleBase = <usize>(<u32>word(args, at + 2));
  const residualBase = <usize>(<u32>word(args, at + 3));
  const kind = word(args, at + 4);
  const floor = f32x4.splat(kind == 1 ? 0 : -Infinity);
  let residual = residualBase ? residualBase + offset : 0;
  let lane = (<usize>channel) << 2;
  do {
    const scale = vector(scaleBase, lane, 1);
    const bias = vector(biasBase, lane, 0);
    const layerScale = vector(layerScaleBase, lane, 1);
    if (kind < 2) strip(from, fromPitch, to, toPitch, residual, toPitch, rows, columns, scale, bias, layerScale, floor, 0);
    else if (kind == 2) strip(from, fromPitch, to, toPitch, residual, toPitch, rows, columns, scale, bias, layerScale, floor, 2);
    else if (kind == 3) strip(from, fromPitch, to, toPitch, residual, toPitch, rows, columns, scale, bias, layerScale, floor, 3);
    else strip(from, fromPitch, to, toPitch, residual, toPitch, rows, columns, scale, bias, layerScale, floor, 4);
    from += 16;
    to += 16;
    lane += 16;
    if (residual) residual += 16;
    columns -= 4;
  } while (columns > 0);
}
