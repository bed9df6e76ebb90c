import { sumLanes } from '../../tensor/assembly/reduce-lanes';
import { address, float, madd, storeFirst, word } from '../../tensor/assembly/simd';
import { differentiatePoints } from './gradient-points';
import { fillGrid } from './grid';
import { placePoints } from './points';
import { firstLanes, raise, spread, spreadLargest, sumPoints } from './softmax';

/*
 * A chunk owns its part of the gradient of x: some groups of an image, or a copy of them of its own where the rows of
 * an image are shared out as well; `addCopies` adds these up. So each element is a sum in a fixed order.
 *
 * Scratch memory of a thread: tables over the points of a chunk's groups, each rounded up to whole vectors of four points
 * with room for four more elements. One word per point: the grid's x and its y, the point's weight, what the centre
 * scale leaves of it, their product, one for intermediate values; two places, four weights and four products per point.
 */

/**
 * Gives a chunk's groups of every pixel their first value: 0, or what the centre scale lets through.
 *
 * @param pitch bytes of a pixel. @param shares the centre scale, or 0. @param pitchShares bytes of a pixel in it.
 */
// @ts-ignore: decorator
@inline
function begin(
  to: usize,
  pixels: i32,
  pitch: usize,
  groups: i32,
  channels: i32,
  gy: usize,
  shares: usize,
  pitchShares: usize,
): void {
  const bytes = (<usize>channels) << 2;
  for (let pixel = 0; pixel < pixels; pixel++) {
    if (!shares) memory.fill(to, 0, <usize>groups * bytes);
    else {
      let at: usize = 0;
      for (let group = 0; group < groups; group++) {
        const share = v128.load32_splat(shares + ((<usize>group) << 2));
        for (let left = channels; left > 0; left -= 4) {
          storeFirst(to + at, f32x4.mul(v128.load(gy + at), share), left);
          at += (<usize>min(4, left)) << 2;
        }
      }
      gy += pitch;
      shares += pitchShares;
    }
    to += pitch;
  }
}

/** The products of sixteen channels of gy and of a pixel, four by four. */
// @ts-ignore: decorator
@inline
function productRun(x: usize, g0: v128, g1: v128, g2: v128, g3: v128): v128 {
  const first = madd(g1, v128.load(x, 16), f32x4.mul(g0, v128.load(x)));
  return madd(g3, v128.load(x, 48), madd(g2, v128.load(x, 32), first));
}

/** Adds `g · weight` to sixteen channels of a pixel's gradient. */
// @ts-ignore: decorator
@inline
function scatterRun(to: usize, g0: v128, g1: v128, g2: v128, g3: v128, weight: v128): void {
  v128.store(to, madd(g0, weight, v128.load(to)));
  v128.store(to, madd(g1, weight, v128.load(to, 16)), 16);
  v128.store(to, madd(g2, weight, v128.load(to, 32)), 32);
  v128.store(to, madd(g3, weight, v128.load(to, 48)), 48);
}

/** Adds `g · weight` to the first `count` of four channels of a pixel's gradient. */
// @ts-ignore: decorator
@inline
function scatterFirst(to: usize, g: v128, weight: v128, count: i32): void {
  storeFirst(to, madd(g, weight, v128.load(to)), count);
}

/** Adds the sums of four vectors' lanes to four words. */
// @ts-ignore: decorator
@inline
function addProducts(to: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab = f32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  const sums = f32x4.add(v128.shuffle<i32>(ab, cd, 0, 1, 4, 5), v128.shuffle<i32>(ab, cd, 2, 3, 6, 7));
  v128.store(to, f32x4.add(v128.load(to), sums));
}

/** The product of two runs of channels. */
// @ts-ignore: decorator
@inline
function product(a: usize, b: usize, channels: i32): f32 {
  let sum = f32x4.splat(0);
  let at: usize = 0;
  let left = channels;
  for (; left >= 4; left -= 4) {
    sum = madd(v128.load(a + at), v128.load(b + at), sum);
    at += 16;
  }
  if (left) sum = f32x4.add(sum, v128.and(f32x4.mul(v128.load(a + at), v128.load(b + at)), firstLanes(left)));
  return sumLanes(sum);
}

/**
 * One group of a pixel: adds to the gradient of x at each point's four neighbours, and to `products` the products of gy
 * and those neighbours.
 *
 * @param step bytes to a right neighbour.
 */
// @ts-ignore: decorator
@inline
function visit(
  gy: usize,
  x: usize,
  gx: usize,
  channels: i32,
  places: usize,
  weights: usize,
  products: usize,
  points: i32,
  step: usize,
): void {
  const end = places + ((<usize>points) << 3);
  let left = channels;
  for (; left >= 16; left -= 16) {
    const g0 = v128.load(gy);
    const g1 = v128.load(gy, 16);
    const g2 = v128.load(gy, 32);
    const g3 = v128.load(gy, 48);
    let p = weights;
    let sums = products;
    for (let q = places; q < end; q += 8) {
      const upper = <usize>load<u32>(q);
      const under = <usize>load<u32>(q, 4);
      addProducts(
        sums,
        productRun(x + upper, g0, g1, g2, g3),
        productRun(x + upper + step, g0, g1, g2, g3),
        productRun(x + under, g0, g1, g2, g3),
        productRun(x + under + step, g0, g1, g2, g3),
      );
      scatterRun(gx + upper, g0, g1, g2, g3, v128.load32_splat(p));
      scatterRun(gx + upper + step, g0, g1, g2, g3, v128.load32_splat(p, 4));
      scatterRun(gx + under, g0, g1, g2, g3, v128.load32_splat(p, 8));
      scatterRun(gx + under + step, g0, g1, g2, g3, v128.load32_splat(p, 12));
      p += 16;
      sums += 16;
    }
    gy += 64;
    x += 64;
    gx += 64;
  }
  for (; left > 0; left -= 4) {
    // Lanes beyond the group belong to its neighbour: they are neither counted nor written.
    const lanes = firstLanes(left);
    const g = v128.load(gy);
    let p = weights;
    let sums = products;
    for (let q = places; q < end; q += 8) {
      const upper = <usize>load<u32>(q);
      const under = <usize>load<u32>(q, 4);
      addProducts(
        sums,
        v128.and(lanes, f32x4.mul(g, v128.load(x + upper))),
        v128.and(lanes, f32x4.mul(g, v128.load(x + upper + step))),
        v128.and(lanes, f32x4.mul(g, v128.load(x + under))),
        v128.and(lanes, f32x4.mul(g, v128.load(x + under + step))),
      );
      scatterFirst(gx + upper, g, v128.load32_splat(p), left);
      scatterFirst(gx + upper + step, g, v128.load32_splat(p, 4), left);
      scatterFirst(gx + under, g, v128.load32_splat(p, 8), left);
      scatterFirst(gx + under + step, g, v128.load32_splat(p, 12), left);
      p += 16;
      sums += 16;
    }
    gy += 16;
    x += 16;
    gx += 16;
  }
}

/**
 * args: 0 x, 1 offset, 2 mask, 3 centre scale or 0, 4 gy, 5 scratch, 6 scratch bytes per thread, 7 height, 8 width,
 * 9 groups, 10 channels of a group, 11 height of gy, 12 width of gy, 13 groups per chunk, 14 chunks of groups,
 * 15 and 16 kernel height and width, 17 and 18 strides, 19 and 20 y and x of the first centre, 21 and 22 dilations,
 * 23 offset scale (f32), 24 whether the mask holds logits, 25 gradient of x, 26 of offset, 27 of mask, 28 of the centre
 * scale or 0, 29 further copies of the gradient of x, 30 its bytes, 31 shares of an image's rows, 32 rows of a share.
 */
export function dcnv3Gradient(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 7);
  const width = word(args, 8);
  const allGroups = word(args, 9);
  const channels = word(args, 10);
  const rows = word(args, 11);
  const columns = word(args, 12);
  const points = word(args, 15) * word(args, 16);
  const scale = float(args, 23);
  const softmax = word(args, 24);
  const tail = firstLanes(points & 3);

  const shareOfRows = chunk % word(args, 31);
  const block = (chunk / word(args, 31)) % word(args, 14);
  const n = chunk / (word(args, 31) * word(args, 14));
  const firstGroup = block * word(args, 13);
  const groups = min(word(args, 13), allGroups - firstGroup);
  const count = groups * points;

  const table = ((<usize>count + 3) & ~3) << 2;
  const channelBytes = (<usize>channels) << 2;
  const pixel = <usize>allGroups * channelBytes;
  const line = <usize>width * pixel;
  const skipped = <usize>(n * height) * line + <usize>firstGroup * channelBytes;
  const step = width > 1 ? pixel : 0;

  const gridX = address(args, 5) + <usize>thread * address(args, 6);
  const gridY = gridX + table;
  const factors = gridY + table;
  const rest = factors + table + 16;
  const sampled = rest + table + 16;
  const spare = sampled + table + 16;
  const places = spare + table + 16;
  const weights = places + 2 * table;
  const products = weights + 4 * table;
  fillGrid(args, groups, gridX, gridY);
  for (let at: usize = 0; at < table; at += 16) v128.store(rest + at, f32x4.splat(1));

  const x = address(args, 0) + skipped;
  const centre = address(args, 3);
  let gx = address(args, 25) + skipped;
  if (shareOfRows > 0) gx = address(args, 29) + <usize>(shareOfRows - 1) * address(args, 30) + skipped;
  const pitchShares = (<usize>allGroups) << 2;
  const centred = shareOfRows == 0 && centre != 0;
  const shares = centre + <usize>(n * height * width) * pitchShares + ((<usize>firstGroup) << 2);
  begin(gx, height * width, pixel, groups, channels, address(args, 4) + skipped, centred ? shares : 0, pitchShares);

  const last = min(rows, (shareOfRows + 1) * word(args, 32));
  for (let row = shareOfRows * word(args, 32); row < last; row++) {
    const centreY = word(args, 19) + row * word(args, 17);
    for (let column = 0; column < columns; column++) {
      const centreX = word(args, 20) + column * word(args, 18);
      const at = <usize>((n * rows + row) * columns + column) * <usize>allGroups + <usize>firstGroup;
      const first = at * <usize>points;
      const offset = address(args, 1) + (first << 3);
      const mask = address(args, 2) + (first << 2);
      const gmask = address(args, 27) + (first << 2);

      // The points' weights, and what the centre scale leaves of them.
      let inner: usize = 0;
      const groupTable = (<usize>points) << 2;
      if (softmax) {
        for (let group = 0; group < groups; group++, inner += groupTable) {
          spreadLargest(mask + inner, spare + inner, points, tail);
        }
        raise(mask, spare, factors, table);
        inner = 0;
        for (let group = 0; group < groups; group++, inner += groupTable) {
          spread(f32x4.splat(<f32>1 / sumPoints(factors + inner, points, tail)), spare + inner, points);
        }
        for (let i: usize = 0; i < table; i += 16) {
          v128.store(factors + i, f32x4.mul(v128.load(factors + i), v128.load(spare + i)));
        }
      } else {
        for (let i: usize = 0; i < table; i += 16) v128.store(factors + i, v128.load(mask + i));
      }
      if (centre) {
        inner = 0;
        for (let group = 0; group < groups; group++, inner += groupTable) {
          const share = load<f32>(centre + ((at + <usize>group) << 2));
          spread(f32x4.splat(<f32>1 - share), rest + inner, points);
        }
      }
      for (let i: usize = 0; i < table; i += 16) {
        v128.store(spare + i, f32x4.mul(v128.load(factors + i), v128.load(rest + i)));
      }
      placePoints(
        offset,
        spare,
        table,
        gridX,
        gridY,
        places,
        weights,
        centreX,
        centreY,
        height,
        width,
        <i32>pixel,
        <i32>line,
        scale,
      );

      memory.fill(products, 0, 4 * table);
      const gy = address(args, 4) + at * channelBytes;
      inner = 0;
      for (let group = 0; group < groups; group++, inner += groupTable) {
        const run = <usize>group * channelBytes;
        visit(
          gy + run,
          x + run,
          gx + run,
          channels,
          places + 2 * inner,
          weights + 4 * inner,
          products + 4 * inner,
          points,
          step,
        );
      }
      differentiatePoints(
        offset,
        products,
        spare,
        count,
        gridX,
        gridY,
        centreX,
        centreY,
        height,
        width,
        scale,
        address(args, 26) + (first << 3),
        sampled,
      );

      if (softmax || centre) {
        // Each group's sum of weight times product: what the result itself contributes.
        for (let i: usize = 0; i < table; i += 16) {
          v128.store(products + i, f32x4.mul(v128.load(factors + i), v128.load(sampled + i)));
        }
        inner = 0;
        for (let group = 0; group < groups; group++, inner += groupTable) {
          const sum = sumPoints(products + inner, points, tail);
          spread(f32x4.splat(sum), spare + inner, points);
          if (centre) {
            const run = at * channelBytes + <usize>group * channelBytes;
            const whole = product(address(args, 0) + run, address(args, 4) + run, channels);
            store<f32>(address(args, 28) + ((at + <usize>group) << 2), whole - sum);
          }
        }
      }
      let to: usize = 0;
      for (let left = count; left > 0; left -= 4, to += 16) {
        let g = v128.load(sampled + to);
        if (softmax) g = f32x4.mul(v128.load(factors + to), f32x4.sub(g, v128.load(spare + to)));
        storeFirst(gmask + to, f32x4.mul(g, v128.load(rest + to)), left);
      }
    }
  }
}

/**
 * Adds the copies to the gradient of x, one after the other.
 *
 * args: gradient, copies, bytes of each, their number, bytes per chunk.
 */
export function addCopies(args: usize, chunk: i32, thread: i32): void {
  const to = address(args, 0);
  const bytes = address(args, 2);
  const size = address(args, 4);
  const copies = address(args, 1);
  const all = copies + <usize>word(args, 3) * bytes;
  const last = min(bytes, <usize>(chunk + 1) * size);
  for (let at = <usize>chunk * size; at < last; at += 16) {
    let sum = v128.load(to + at);
    for (let copy = copies + at; copy < all; copy += bytes) sum = f32x4.add(sum, v128.load(copy));
    storeFirst(to + at, sum, <i32>((last - at) >> 2));
  }
}
