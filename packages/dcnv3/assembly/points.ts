// @ts-ignore: decorator
@inline
const magic: f32 = 12582912.0; // 1.5 · 2^23: adding it leaves an integer in the low bits.
// @ts-ignore: decorator
@inline
const magicBits: i32 = 0x4b400000;

/** Per lane the larger of x and 0; NaN becomes 0. */
// @ts-ignore: decorator
@inline
function positive(x: v128): v128 {
  return f32x4.pmax(f32x4.splat(0), x);
}

/**
 * The first of the two neighbours that are read along an axis, counted from the centre. Both lie on the axis wherever
 * it has two: a location outside is read from the border, with the weights that are left.
 */
// @ts-ignore: decorator
@inline
export function firstNeighbour(location: v128, centre: i32, size: i32): v128 {
  const last = f32x4.splat(<f32>(max(size - 2, 0) - centre));
  return f32x4.pmax(f32x4.splat(<f32>-centre), f32x4.pmin(last, f32x4.floor(location)));
}

/** Weight of the first neighbour at `distance`: `1 − |distance|` or 0. */
// @ts-ignore: decorator
@inline
export function firstWeight(distance: v128): v128 {
  const one = f32x4.splat(1);
  return positive(f32x4.pmin(f32x4.sub(one, distance), f32x4.add(one, distance)));
}

/** Weight of the second neighbour: `1 − |distance − 1|` or 0; there is no second where the axis has size 1. */
// @ts-ignore: decorator
@inline
export function secondWeight(distance: v128, size: i32): v128 {
  const weight = positive(f32x4.pmin(distance, f32x4.sub(f32x4.splat(2), distance)));
  return v128.and(weight, i32x4.splat(size > 1 ? -1 : 0));
}

/** A small integer held as a float, plus `offset`, as an integer. */
// @ts-ignore: decorator
@inline
function integer(x: v128, offset: i32): v128 {
  return i32x4.add(f32x4.add(x, f32x4.splat(magic)), i32x4.splat(offset - magicBits));
}

/**
 * Weights and places of all points of a pixel, four at a time without branches. Locations count from the pixel's
 * centre, so that they keep their bits wherever the pixel lies.
 *
 * Per point, `places` gets the byte offsets of two runs of two pixels, upper and under, and `weights` the weights of the
 * four pixels.
 *
 * @param count bytes of a table with one word per point.
 * @param pixel bytes of a pixel. @param line of a row of pixels.
 */
// @ts-ignore: decorator
@inline
export function placePoints(
  offset: usize,
  mask: usize,
  count: usize,
  gridX: usize,
  gridY: usize,
  places: usize,
  weights: usize,
  centreX: i32,
  centreY: i32,
  height: i32,
  width: i32,
  pixel: i32,
  line: i32,
  scale: f32,
): void {
  for (let at: usize = 0; at < count; at += 16) {
    const first = v128.load(offset);
    const second = v128.load(offset, 16);
    const dx = v128.shuffle<i32>(first, second, 0, 2, 4, 6);
    const dy = v128.shuffle<i32>(first, second, 1, 3, 5, 7);
    const x = f32x4.mul(f32x4.add(v128.load(gridX + at), dx), f32x4.splat(scale));
    const y = f32x4.mul(f32x4.add(v128.load(gridY + at), dy), f32x4.splat(scale));
    const firstX = firstNeighbour(x, centreX, width);
    const firstY = firstNeighbour(y, centreY, height);
    const distanceX = f32x4.sub(x, firstX);
    const distanceY = f32x4.sub(y, firstY);

    const row = i32x4.mul(integer(firstY, centreY), i32x4.splat(line));
    const upper = i32x4.add(row, i32x4.mul(integer(firstX, centreX), i32x4.splat(pixel)));
    const under = i32x4.add(upper, i32x4.splat(height > 1 ? line : 0));
    v128.store(places, v128.shuffle<i32>(upper, under, 0, 4, 1, 5));
    v128.store(places, v128.shuffle<i32>(upper, under, 2, 6, 3, 7), 16);

    const factor = v128.load(mask + at);
    const left = firstWeight(distanceX);
    const right = secondWeight(distanceX, width);
    const top = f32x4.mul(firstWeight(distanceY), factor);
    const bottom = f32x4.mul(secondWeight(distanceY, height), factor);
    const a = f32x4.mul(top, left);
    const b = f32x4.mul(top, right);
    const c = f32x4.mul(bottom, left);
    const d = f32x4.mul(bottom, right);
    const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
    const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
    const ef = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
    const gh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
    v128.store(weights, v128.shuffle<i32>(ab, cd, 0, 1, 4, 5));
    v128.store(weights, v128.shuffle<i32>(ab, cd, 2, 3, 6, 7), 16);
    v128.store(weights, v128.shuffle<i32>(ef, gh, 0, 1, 4, 5), 32);
    v128.store(weights, v128.shuffle<i32>(ef, gh, 2, 3, 6, 7), 48);
    offset += 32;
    places += 32;
    weights += 64;
  }
}
