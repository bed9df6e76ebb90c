import { blockBytes, tileSize } from './doubled';
import { address, madd, word } from './simd';

/* The way back of a convolution over a doubled map: from the products to y. doubled.ts explains it and the arguments. */

/** Lines of odd and of even rows each that the result's rows may still need. */
// @ts-ignore: decorator
@inline
const ringLines: i32 = 6;

/**
 * Adds a band's part to a block of 16 outputs of y, the chunk's. Bands follow each other from the top. Further words:
 *     17 lines of filtered rows, `[block][odd or even][6][column of y][16]`, which one band leaves for the next
 *
 * Scratch: a row of tiles' odd rows, `[3][odd column][16]` and `[3][even column][16]`.
 */
export function doubledOutput(args: usize, block: i32, thread: i32): void {
  const height = word(args, 1);
  const width = word(args, 2);
  const tilesX = word(args, 7);
  const pixel = (<usize>word(args, 3)) << 2;
  const channel = (<usize>block) << 6;
  const odd = address(args, 15) + (<usize>thread) * address(args, 16);
  const oddBytes = (<usize>(tileSize * tilesX)) * blockBytes;
  const even = odd + (<usize>tileSize) * oddBytes;
  const evenBytes = (<usize>width) * blockBytes;
  const lineBytes = 2 * evenBytes;
  const odds = address(args, 17) + (<usize>(block * 2 * ringLines)) * lineBytes;
  const evens = odds + (<usize>ringLines) * lineBytes;
  const top = word(args, 5) * tileSize - 1;
  const rows = word(args, 6);
  for (let row = 0; row < rows; row++) {
    const y = top + row * tileSize;
    oddOdd(address(args, 8) + (<usize>(row * tilesX)) * pixel + channel, address(args, 9), pixel, odd, oddBytes, tilesX);
    oddPlaces(
      address(args, 10) + (<usize>(row * width)) * pixel + channel, address(args, 11), pixel,
      even, blockBytes, evenBytes, width,
    );
    for (let i = 0; i < tileSize; i++) {
      const line = <usize>i;
      filterLine(ringLine(odds, y + i, lineBytes), odd + line * oddBytes, even + line * evenBytes, blockBytes, width);
    }
    for (let i = y; i < y + tileSize; i++) {
      if (<u32>i >= <u32>height) continue;
      const evenRow = i - max(top, 0);
      const from = address(args, 12) + (<usize>(evenRow * tilesX)) * pixel + channel;
      oddPlaces(from, address(args, 13), pixel, odd, (<usize>tileSize) * blockBytes, blockBytes, tilesX);
      const plain = address(args, 14) + (<usize>(evenRow * width)) * pixel + channel;
      filterLine(ringLine(evens, i, lineBytes), odd, plain, pixel, width);
    }
    // The last rows may need one more odd row than has been computed.
    for (let i = max(y - 2, 0); i < min(y + 1, height); i++) {
      const target = address(args, 0) + (<usize>((word(args, 4) * height + i) * 4 * width)) * pixel + channel;
      addRows(
        target, pixel, lineBytes,
        ringLine(odds, i ? i : -1, lineBytes),
        ringLine(odds, i, lineBytes),
        ringLine(odds, i + 1, lineBytes),
        ringLine(odds, i + 1 < height ? i + 1 : height + 1, lineBytes),
        ringLine(evens, max(i - 1, 0), lineBytes),
        ringLine(evens, i, lineBytes),
        ringLine(evens, min(i + 1, height - 1), lineBytes),
      );
    }
  }
}

/** Where a ring holds row `index`, −1 or more. */
// @ts-ignore: decorator
@inline
function ringLine(ring: usize, index: i32, lineBytes: usize): usize {
  return ring + (<usize>((index + 1) % ringLines)) * lineBytes;
}

/** Aᵀ along both axes: the places of odd rows and odd columns in `tiles` tiles side by side, three lines. */
function oddOdd(from: usize, step: usize, pixel: usize, to: usize, lineBytes: usize, tiles: i32): void {
  do {
    let at: usize = 0;
    do {
      const m0 = from + at;
      const m1 = m0 + 4 * step;
      const m2 = m1 + 4 * step;
      const m3 = m2 + 4 * step;
      const top = to + at;
      const middle = top + lineBytes;
      const bottom = middle + lineBytes;
      const a10 = v128.load(m1);
      const b10 = v128.load(m1, 16);
      const a11 = v128.load(m1 + step);
      const b11 = v128.load(m1 + step, 16);
      const a12 = v128.load(m1 + 2 * step);
      const b12 = v128.load(m1 + 2 * step, 16);
      const a13 = v128.load(m1 + 3 * step);
      const b13 = v128.load(m1 + 3 * step, 16);
      const a1s = f32x4.add(a11, a12);
      const b1s = f32x4.add(b11, b12);
      const a1p0 = f32x4.add(a10, a1s);
      const b1p0 = f32x4.add(b10, b1s);
      const a1p1 = f32x4.sub(a11, a12);
      const b1p1 = f32x4.sub(b11, b12);
      const a1p2 = f32x4.add(a1s, a13);
      const b1p2 = f32x4.add(b1s, b13);
      const a20 = v128.load(m2);
      const b20 = v128.load(m2, 16);
      const a21 = v128.load(m2 + step);
      const b21 = v128.load(m2 + step, 16);
      const a22 = v128.load(m2 + 2 * step);
      const b22 = v128.load(m2 + 2 * step, 16);
      const a23 = v128.load(m2 + 3 * step);
      const b23 = v128.load(m2 + 3 * step, 16);
      const a2s = f32x4.add(a21, a22);
      const b2s = f32x4.add(b21, b22);
      const a2p0 = f32x4.add(a20, a2s);
      const b2p0 = f32x4.add(b20, b2s);
      const a2p1 = f32x4.sub(a21, a22);
      const b2p1 = f32x4.sub(b21, b22);
      const a2p2 = f32x4.add(a2s, a23);
      const b2p2 = f32x4.add(b2s, b23);
      v128.store(middle, f32x4.sub(a1p0, a2p0));
      v128.store(middle, f32x4.sub(b1p0, b2p0), 16);
      v128.store(middle, f32x4.sub(a1p1, a2p1), 64);
      v128.store(middle, f32x4.sub(b1p1, b2p1), 80);
      v128.store(middle, f32x4.sub(a1p2, a2p2), 128);
      v128.store(middle, f32x4.sub(b1p2, b2p2), 144);
      const as0 = f32x4.add(a1p0, a2p0);
      const bs0 = f32x4.add(b1p0, b2p0);
      const as1 = f32x4.add(a1p1, a2p1);
      const bs1 = f32x4.add(b1p1, b2p1);
      const as2 = f32x4.add(a1p2, a2p2);
      const bs2 = f32x4.add(b1p2, b2p2);
      const a00 = v128.load(m0);
      const b00 = v128.load(m0, 16);
      const a01 = v128.load(m0 + step);
      const b01 = v128.load(m0 + step, 16);
      const a02 = v128.load(m0 + 2 * step);
      const b02 = v128.load(m0 + 2 * step, 16);
      const a03 = v128.load(m0 + 3 * step);
      const b03 = v128.load(m0 + 3 * step, 16);
      const a0s = f32x4.add(a01, a02);
      const b0s = f32x4.add(b01, b02);
      const a0p0 = f32x4.add(a00, a0s);
      const b0p0 = f32x4.add(b00, b0s);
      const a0p1 = f32x4.sub(a01, a02);
      const b0p1 = f32x4.sub(b01, b02);
      const a0p2 = f32x4.add(a0s, a03);
      const b0p2 = f32x4.add(b0s, b03);
      v128.store(top, f32x4.add(a0p0, as0));
      v128.store(top, f32x4.add(b0p0, bs0), 16);
      v128.store(top, f32x4.add(a0p1, as1), 64);
      v128.store(top, f32x4.add(b0p1, bs1), 80);
      v128.store(top, f32x4.add(a0p2, as2), 128);
      v128.store(top, f32x4.add(b0p2, bs2), 144);
      const a30 = v128.load(m3);
      const b30 = v128.load(m3, 16);
      const a31 = v128.load(m3 + step);
      const b31 = v128.load(m3 + step, 16);
      const a32 = v128.load(m3 + 2 * step);
      const b32 = v128.load(m3 + 2 * step, 16);
      const a33 = v128.load(m3 + 3 * step);
      const b33 = v128.load(m3 + 3 * step, 16);
      const a3s = f32x4.add(a31, a32);
      const b3s = f32x4.add(b31, b32);
      const a3p0 = f32x4.add(a30, a3s);
      const b3p0 = f32x4.add(b30, b3s);
      const a3p1 = f32x4.sub(a31, a32);
      const b3p1 = f32x4.sub(b31, b32);
      const a3p2 = f32x4.add(a3s, a33);
      const b3p2 = f32x4.add(b3s, b33);
      v128.store(bottom, f32x4.add(as0, a3p0));
      v128.store(bottom, f32x4.add(bs0, b3p0), 16);
      v128.store(bottom, f32x4.add(as1, a3p1), 64);
      v128.store(bottom, f32x4.add(bs1, b3p1), 80);
      v128.store(bottom, f32x4.add(as2, a3p2), 128);
      v128.store(bottom, f32x4.add(bs2, b3p2), 144);
      at += 32;
    } while (at != blockBytes);
    from += pixel;
    to += (<usize>tileSize) * blockBytes;
  } while (--tiles);
}

/** Aᵀ along one axis: `count` times three places, `placeStep` bytes apart, the next three `toNext` bytes on. */
function oddPlaces(
  from: usize, step: usize, pixel: usize, to: usize, toNext: usize, placeStep: usize, count: i32,
): void {
  do {
    let at: usize = 0;
    do {
      const m0 = from + at;
      const m2 = m0 + 2 * step;
      const a0 = v128.load(m0);
      const b0 = v128.load(m0, 16);
      const a1 = v128.load(m0 + step);
      const b1 = v128.load(m0 + step, 16);
      const a2 = v128.load(m2);
      const b2 = v128.load(m2, 16);
      const a3 = v128.load(m2 + step);
      const b3 = v128.load(m2 + step, 16);
      const as = f32x4.add(a1, a2);
      const bs = f32x4.add(b1, b2);
      const place = to + at;
      v128.store(place, f32x4.add(a0, as));
      v128.store(place, f32x4.add(b0, bs), 16);
      v128.store(place + placeStep, f32x4.sub(a1, a2));
      v128.store(place + placeStep, f32x4.sub(b1, b2), 16);
      v128.store(place + 2 * placeStep, f32x4.add(as, a3));
      v128.store(place + 2 * placeStep, f32x4.add(bs, b3), 16);
      at += 32;
    } while (at != blockBytes);
    from += pixel;
    to += toNext;
  } while (--count);
}

/** ¾ (near + other) + ¼ (far + beyond). */
// @ts-ignore: decorator
@inline
function filtered(near: v128, other: v128, far: v128, beyond: v128, quarter: v128, threeQuarters: v128): v128 {
  return madd(f32x4.add(near, other), threeQuarters, f32x4.mul(f32x4.add(far, beyond), quarter));
}

/** The filter along a row of the map's `width`, to twice as many columns; `odd` begins with O₋₁, `even` with E₀. */
function filterLine(to: usize, odd: usize, even: usize, evenStep: usize, width: i32): void {
  const quarter = f32x4.splat(0.25);
  const threeQuarters = f32x4.splat(0.75);
  let before = even;
  let near = odd;
  for (let left = width - 1; left >= 0; left--) {
    odd += blockBytes;
    const after = left ? even + evenStep : even;
    const next = left ? odd + blockBytes : odd + 2 * blockBytes;
    let at: usize = 0;
    do {
      const o0 = v128.load(near + at);
      const p0 = v128.load(near + at, 16);
      const o1 = v128.load(odd + at);
      const p1 = v128.load(odd + at, 16);
      const o2 = v128.load(odd + at, blockBytes);
      const p2 = v128.load(odd + at, blockBytes + 16);
      const o3 = v128.load(next + at);
      const p3 = v128.load(next + at, 16);
      const e0 = v128.load(before + at);
      const f0 = v128.load(before + at, 16);
      const e1 = v128.load(even + at);
      const f1 = v128.load(even + at, 16);
      const e2 = v128.load(after + at);
      const f2 = v128.load(after + at, 16);
      const target = to + at;
      v128.store(target, filtered(o0, e1, o2, e0, quarter, threeQuarters));
      v128.store(target, filtered(p0, f1, p2, f0, quarter, threeQuarters), 16);
      v128.store(target, filtered(o3, e1, o1, e2, quarter, threeQuarters), blockBytes);
      v128.store(target, filtered(p3, f1, p1, f2, quarter, threeQuarters), blockBytes + 16);
      at += 32;
    } while (at != blockBytes);
    before = even;
    even = after;
    near = odd + blockBytes;
    to += 2 * blockBytes;
  }
}

/**
 * Adds the filter along the columns to rows 2i and 2i + 1 of y, from lines of `lineBytes`: the odd ones O_i and O_{i+1}, each
 * with the one to read instead where it counts ¾, and the even ones before, at and after i.
 */
function addRows(
  to: usize, pixel: usize, lineBytes: usize,
  near: usize, odd: usize, nextOdd: usize, nextNear: usize, before: usize, even: usize, after: usize,
): void {
  const quarter = f32x4.splat(0.25);
  const threeQuarters = f32x4.splat(0.75);
  const rowBytes = (lineBytes >> 6) * pixel;
  let at: usize = 0;
  do {
    const end = at + blockBytes;
    let upper = to;
    do {
      const lower = upper + rowBytes;
      const o0 = v128.load(near + at);
      const p0 = v128.load(near + at, 16);
      const o1 = v128.load(odd + at);
      const p1 = v128.load(odd + at, 16);
      const o2 = v128.load(nextOdd + at);
      const p2 = v128.load(nextOdd + at, 16);
      const o3 = v128.load(nextNear + at);
      const p3 = v128.load(nextNear + at, 16);
      const e0 = v128.load(before + at);
      const f0 = v128.load(before + at, 16);
      const e1 = v128.load(even + at);
      const f1 = v128.load(even + at, 16);
      const e2 = v128.load(after + at);
      const f2 = v128.load(after + at, 16);
      const u = v128.load(upper);
      const v = v128.load(upper, 16);
      const l = v128.load(lower);
      const m = v128.load(lower, 16);
      v128.store(upper, f32x4.add(u, filtered(o0, e1, o2, e0, quarter, threeQuarters)));
      v128.store(upper, f32x4.add(v, filtered(p0, f1, p2, f0, quarter, threeQuarters)), 16);
      v128.store(lower, f32x4.add(l, filtered(o3, e1, o1, e2, quarter, threeQuarters)));
      v128.store(lower, f32x4.add(m, filtered(p3, f1, p1, f2, quarter, threeQuarters)), 16);
      upper += 32;
      at += 32;
    } while (at != end);
    to += pixel;
  } while (at != lineBytes);
}
