import { madd, storeFirst } from './simd';

/** Where output position `i` samples; in f64, since an f32 position far from 0 has few bits left for the weight. */
// @ts-ignore: decorator
@inline
export function source(i: i32, input: i32, output: i32): f64 {
  return max<f64>(((<f64>i + 0.5) * <f64>input) / <f64>output - 0.5, 0);
}

/** The lower of the two neighbours of a sample. */
// @ts-ignore: decorator
@inline
export function lower(position: f64, size: i32): i32 {
  return min(<i32>position, size - 1);
}

/** The weight of the upper neighbour. */
// @ts-ignore: decorator
@inline
export function weight(position: f64, low: i32): f32 {
  return <f32>(position - <f64>low);
}

/** Four channels between four neighbours: `right` and `bottom` are the weights of b, d and of c, d. */
// @ts-ignore: decorator
@inline
export function blend(a: v128, b: v128, c: v128, d: v128, left: v128, right: v128, top: v128, bottom: v128): v128 {
  const upper = madd(b, right, f32x4.mul(a, left));
  const under = madd(d, right, f32x4.mul(c, left));
  return madd(under, bottom, f32x4.mul(upper, top));
}

/**
 * Row `row` of an image resized from height × width to rows × columns.
 *
 * @param x the image, `[height, width, channels]`. @param y the row. @param step bytes from pixel to pixel of y.
 */
export function resizeRow(
  x: usize,
  height: i32,
  width: i32,
  channels: i32,
  row: i32,
  rows: i32,
  columns: i32,
  y: usize,
  step: usize,
): void {
  const pixel = <usize>channels << 2;
  const full = <usize>(channels & ~3) << 2;
  const tail = channels & 3;
  const positionY = source(row, height, rows);
  const rowAbove = lower(positionY, height);
  const weightY = weight(positionY, rowAbove);
  const above = x + <usize>rowAbove * width * pixel;
  const under = rowAbove < height - 1 ? above + <usize>width * pixel : above;
  const bottom = f32x4.splat(weightY);
  const top = f32x4.splat(<f32>1 - weightY);
  for (let column = 0; column < columns; column++) {
    const positionX = source(column, width, columns);
    const columnLeft = lower(positionX, width);
    const weightX = weight(positionX, columnLeft);
    const right = f32x4.splat(weightX);
    const left = f32x4.splat(<f32>1 - weightX);
    const next = columnLeft < width - 1 ? pixel : 0;
    let a = above + <usize>columnLeft * pixel;
    let c = under + <usize>columnLeft * pixel;
    let b = a + next;
    let d = c + next;
    let to = y;
    const end = y + full;
    while (to < end) {
      const lanes = blend(v128.load(a), v128.load(b), v128.load(c), v128.load(d), left, right, top, bottom);
      v128.store(to, lanes);
      a += 16;
      b += 16;
      c += 16;
      d += 16;
      to += 16;
    }
    if (tail) {
      const lanes = blend(v128.load(a), v128.load(b), v128.load(c), v128.load(d), left, right, top, bottom);
      storeFirst(to, lanes, tail);
    }
    y += step;
  }
}
