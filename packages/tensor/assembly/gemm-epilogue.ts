import { gelu4, sigmoid4, silu4 } from './activation';
import { address, madd, word } from './simd';

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
  return word(args, at) == 0 ? address(args, at + 1) : 0;
}

/** Whether nothing but a bias that {@link startingBias} has dealt with is left to do. */
// @ts-ignore: decorator
@inline
export function isTrivial(args: usize, at: i32): bool {
  return (word(args, at) | word(args, at + 2) | word(args, at + 3) | word(args, at + 4)) == 0;
}

/** The vector at `base + offset`, or `absent` where there is no base; without a branch. */
// @ts-ignore: decorator
@inline
function vector(base: usize, offset: usize, absent: v128): v128 {
  return v128.bitselect(absent, v128.load(base + offset), i32x4.eq(i32x4.splat(<i32>base), i32x4.splat(0)));
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

// @ts-ignore: decorator
@inline
function activated(product: v128, scale: v128, bias: v128, floor: v128, kind: i32): v128 {
  const value = madd(product, scale, bias);
  return kind < 2 ? f32x4.pmax(value, floor) : activate(value, kind);
}

/** The epilogue with `kind` a constant, so that each activation has a loop of its own. */
// @ts-ignore: decorator
@inline
function columnsOfKind(
  args: usize, at: i32, from: usize, fromPitch: usize, to: usize, toPitch: usize,
  rows: i32, columns: i32, channel: i32, offset: usize, kind: i32,
): void {
  const scaleBase = address(args, at);
  const biasBase: usize = scaleBase ? address(args, at + 1) : 0;
  const layerScaleBase = address(args, at + 2);
  const residualBase = address(args, at + 3);
  const floor = f32x4.splat(word(args, at + 4) == 1 ? 0 : -Infinity);
  const residualPitch: usize = residualBase ? toPitch : 0;
  const next: usize = residualBase ? 16 : 0;
  let residualColumn: usize = residualBase ? residualBase + offset : 0;
  let lane = (<usize>channel) << 2;
  // Two vectors at a time: they share the constants of the activation, and their divisions overlap. Where no branch
  // comes between them, an engine can join them to 256 bits.
  const one = f32x4.splat(1);
  const zero = f32x4.splat(0);
  for (; columns >= 8; columns -= 8) {
    const scale = vector(scaleBase, lane, one);
    const scale1 = vector(scaleBase, lane + 16, one);
    const bias = vector(biasBase, lane, zero);
    const bias1 = vector(biasBase, lane + 16, zero);
    const layerScale = vector(layerScaleBase, lane, one);
    const layerScale1 = vector(layerScaleBase, lane + 16, one);
    let read = from;
    let write = to;
    let residual = residualColumn;
    let left = rows;
    do {
      const first = activated(v128.load(read), scale, bias, floor, kind);
      const second = activated(v128.load(read, 16), scale1, bias1, floor, kind);
      if (residual) {
        const sum = madd(first, layerScale, v128.load(residual));
        const sum1 = madd(second, layerScale1, v128.load(residual, 16));
        v128.store(write, sum);
        v128.store(write, sum1, 16);
      } else {
        v128.store(write, f32x4.mul(first, layerScale));
        v128.store(write, f32x4.mul(second, layerScale1), 16);
      }
      read += fromPitch;
      write += toPitch;
      residual += residualPitch;
    } while (--left);
    from += 32;
    to += 32;
    lane += 32;
    residualColumn += next << 1;
  }
  for (; columns > 0; columns -= 4) {
    const scale = vector(scaleBase, lane, one);
    const bias = vector(biasBase, lane, zero);
    const layerScale = vector(layerScaleBase, lane, one);
    let read = from;
    let write = to;
    let residual = residualColumn;
    let left = rows;
    do {
      const value = activated(v128.load(read), scale, bias, floor, kind);
      storeLanes(write, residual ? madd(value, layerScale, v128.load(residual)) : f32x4.mul(value, layerScale), columns);
      read += fromPitch;
      write += toPitch;
      residual += residualPitch;
    } while (--left);
    from += 16;
    to += 16;
    lane += 16;
    residualColumn += next;
  }
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
  const kind = word(args, at + 4);
  if (kind < 2) columnsOfKind(args, at, from, fromPitch, to, toPitch, rows, columns, channel, offset, 0);
  else if (kind == 2) columnsOfKind(args, at, from, fromPitch, to, toPitch, rows, columns, channel, offset, 2);
  else if (kind == 3) columnsOfKind(args, at, from, fromPitch, to, toPitch, rows, columns, channel, offset, 3);
  else columnsOfKind(args, at, from, fromPitch, to, toPitch, rows, columns, channel, offset, 4);
}
