import { storeFirst } from '../../tensor/assembly/simd';
import { firstNeighbour, firstWeight, secondWeight } from './points';

/** Derivative to the right of the first neighbour's weight at `distance`: 1 before it, −1 from it on to the next. */
// @ts-ignore: decorator
@inline
function firstSlope(distance: v128): v128 {
  const one = f32x4.splat(1);
  const slope = v128.bitselect(one, f32x4.splat(-1), f32x4.lt(distance, f32x4.splat(0)));
  const within = v128.and(f32x4.gt(distance, f32x4.splat(-1)), f32x4.lt(distance, one));
  return v128.and(slope, within);
}

/** Derivative to the right of the second neighbour's weight; there is no second where the axis has size 1. */
// @ts-ignore: decorator
@inline
function secondSlope(distance: v128, size: i32): v128 {
  const one = f32x4.splat(1);
  const slope = v128.bitselect(one, f32x4.splat(-1), f32x4.lt(distance, one));
  const within = v128.and(f32x4.ge(distance, f32x4.splat(0)), f32x4.lt(distance, f32x4.splat(2)));
  return v128.and(v128.and(slope, within), i32x4.splat(size > 1 ? -1 : 0));
}

/**
 * Gradients of offsets, and of the sampled values' weights, of all points of a pixel, four at a time without branches.
 *
 * @param products per point the products of the result's gradient and each of the four neighbours, upper before under.
 * @param factors the points' weights.
 * @param goffset receives `count` pairs. @param sampled receives the product with the sampled value, per point.
 */
// @ts-ignore: decorator
@inline
export function differentiatePoints(
  offset: usize,
  products: usize,
  factors: usize,
  count: i32,
  gridX: usize,
  gridY: usize,
  centreX: i32,
  centreY: i32,
  height: i32,
  width: i32,
  scale: f32,
  goffset: usize,
  sampled: usize,
): void {
  let at: usize = 0;
  for (let left = count; left > 0; left -= 4) {
    const first = v128.load(offset);
    const second = v128.load(offset, 16);
    const dx = v128.shuffle<i32>(first, second, 0, 2, 4, 6);
    const dy = v128.shuffle<i32>(first, second, 1, 3, 5, 7);
    const x = f32x4.mul(f32x4.add(v128.load(gridX + at), dx), f32x4.splat(scale));
    const y = f32x4.mul(f32x4.add(v128.load(gridY + at), dy), f32x4.splat(scale));
    const distanceX = f32x4.sub(x, firstNeighbour(x, centreX, width));
    const distanceY = f32x4.sub(y, firstNeighbour(y, centreY, height));

    // Four points' products, neighbour by neighbour.
    const p = v128.load(products);
    const q = v128.load(products, 16);
    const r = v128.load(products, 32);
    const s = v128.load(products, 48);
    const pqUpper = v128.shuffle<i32>(p, q, 0, 4, 1, 5);
    const pqUnder = v128.shuffle<i32>(p, q, 2, 6, 3, 7);
    const rsUpper = v128.shuffle<i32>(r, s, 0, 4, 1, 5);
    const rsUnder = v128.shuffle<i32>(r, s, 2, 6, 3, 7);
    const a = v128.shuffle<i32>(pqUpper, rsUpper, 0, 1, 4, 5);
    const b = v128.shuffle<i32>(pqUpper, rsUpper, 2, 3, 6, 7);
    const c = v128.shuffle<i32>(pqUnder, rsUnder, 0, 1, 4, 5);
    const d = v128.shuffle<i32>(pqUnder, rsUnder, 2, 3, 6, 7);

    const top = firstWeight(distanceY);
    const bottom = secondWeight(distanceY, height);
    const leftColumn = f32x4.add(f32x4.mul(top, a), f32x4.mul(bottom, c));
    const rightColumn = f32x4.add(f32x4.mul(top, b), f32x4.mul(bottom, d));
    const before = firstWeight(distanceX);
    const behind = secondWeight(distanceX, width);
    v128.store(sampled + at, f32x4.add(f32x4.mul(before, leftColumn), f32x4.mul(behind, rightColumn)));

    const toX = f32x4.add(
      f32x4.mul(firstSlope(distanceX), leftColumn),
      f32x4.mul(secondSlope(distanceX, width), rightColumn),
    );
    const upperRow = f32x4.add(f32x4.mul(before, a), f32x4.mul(behind, b));
    const underRow = f32x4.add(f32x4.mul(before, c), f32x4.mul(behind, d));
    const toY = f32x4.add(
      f32x4.mul(firstSlope(distanceY), upperRow),
      f32x4.mul(secondSlope(distanceY, height), underRow),
    );
    const factor = f32x4.mul(v128.load(factors + at), f32x4.splat(scale));
    const gx = f32x4.mul(factor, toX);
    const gy = f32x4.mul(factor, toY);
    storeFirst(goffset, v128.shuffle<i32>(gx, gy, 0, 4, 1, 5), 2 * left);
    if (left > 2) storeFirst(goffset + 16, v128.shuffle<i32>(gx, gy, 2, 6, 3, 7), 2 * left - 4);
    at += 16;
    offset += 32;
    products += 64;
    goffset += 32;
  }
}
