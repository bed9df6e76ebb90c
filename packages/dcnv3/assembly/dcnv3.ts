import { address, float, madd, storeFirst, word } from '../../tensor/assembly/simd';
import { fillGrid } from './grid';
import { placePoints } from './points';
import { firstLanes, raise, spreadLargest, sumPoints } from './softmax';

/*
 * Scratch memory of a thread: tables over the points of all groups of a pixel, each rounded up to whole vectors of four
 * points: the grid's x and its y, the largest logit of the point's group and the point's power (each with room for
 * three more elements), two places per point and four weights per point.
 */

/** Adds four channels of two neighbouring pixels to `sum`. */
// @ts-ignore: decorator
@inline
function gather(sum: v128, left: usize, right: usize, leftWeight: v128, rightWeight: v128): v128 {
  return madd(v128.load(right), rightWeight, madd(v128.load(left), leftWeight, sum));
}

/** `sum · factor`, plus `x · share` where there is a centre scale. */
// @ts-ignore: decorator
@inline
function finish(sum: v128, factor: v128, centre: usize, share: v128): v128 {
  const scaled = f32x4.mul(sum, factor);
  return centre ? madd(v128.load(centre), share, scaled) : scaled;
}

/**
 * args: 0 x, 1 offset, 2 mask, 3 centre scale or 0, 4 y, 5 scratch, 6 scratch bytes per thread, 7 height, 8 width,
 * 9 groups, 10 channels of a group, 11 height of y, 12 width of y, 13 rows of all images of y, 14 rows per chunk,
 * 15 and 16 kernel height and width, 17 and 18 strides, 19 and 20 y and x of the first centre, 21 and 22 dilations,
 * 23 offset scale (f32), 24 whether the mask holds logits.
 */
export function dcnv3(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 7);
  const width = word(args, 8);
  const groups = word(args, 9);
  const channels = word(args, 10);
  const rows = word(args, 11);
  const columns = word(args, 12);
  const perChunk = word(args, 14);
  const points = word(args, 15) * word(args, 16);
  const scale = float(args, 23);
  const softmax = word(args, 24);
  const tail = firstLanes(points & 3);
  const all = <usize>(groups * points);
  const table = ((all + 3) & ~3) << 2;
  const pixel = (<usize>(groups * channels)) << 2;
  const line = <usize>width * pixel;
  const image = <usize>height * line;
  const step = width > 1 ? pixel : 0;

  const gridX = address(args, 5) + <usize>thread * address(args, 6);
  const gridY = gridX + table;
  const largest = gridY + table;
  const factors = largest + table + 16;
  const places = factors + table + 16;
  const weights = places + 2 * table;
  fillGrid(args, groups, gridX, gridY);

  const last = min(word(args, 13), (chunk + 1) * perChunk);
  for (let row = chunk * perChunk; row < last; row++) {
    const n = row / rows;
    const x = address(args, 0) + <usize>n * image;
    const centreY = word(args, 19) + (row - n * rows) * word(args, 17);
    for (let column = 0; column < columns; column++) {
      const at = <usize>(row * columns + column);
      const offset = address(args, 1) + ((at * all) << 3);
      const mask = address(args, 2) + ((at * all) << 2);
      const centreX = word(args, 20) + column * word(args, 18);
      if (softmax) {
        for (let first: usize = 0; first < all; first += points) {
          spreadLargest(mask + (first << 2), largest + (first << 2), points, tail);
        }
        raise(mask, largest, factors, table);
      }
      placePoints(
        offset,
        softmax ? factors : mask,
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

      let from = x;
      let y = address(args, 4) + at * pixel;
      let centre = address(args, 3) ? address(args, 0) + at * pixel : 0;
      let place = places;
      let weight = weights;
      for (let group = 0; group < groups; group++) {
        let total: f32 = 1;
        if (softmax) total = sumPoints(factors + ((<usize>(group * points)) << 2), points, tail);
        let blend: f32 = 0;
        if (centre) blend = load<f32>(address(args, 3) + ((at * <usize>groups + group) << 2));
        const factor = f32x4.splat((<f32>1 - blend) / total);
        const share = f32x4.splat(blend);
        const end = place + ((<usize>points) << 3);
        let left = channels;
        for (; left >= 16; left -= 16) {
          let s0 = f32x4.splat(0);
          let s1 = f32x4.splat(0);
          let s2 = f32x4.splat(0);
          let s3 = f32x4.splat(0);
          let q = place;
          let p = weight;
          // Half a point at a time: more loads than that in one turn do not fit the registers.
          do {
            const a = from + load<u32>(q);
            const b = a + step;
            const u = v128.load32_splat(p);
            const v = v128.load32_splat(p, 4);
            s0 = gather(s0, a, b, u, v);
            s1 = gather(s1, a + 16, b + 16, u, v);
            s2 = gather(s2, a + 32, b + 32, u, v);
            s3 = gather(s3, a + 48, b + 48, u, v);
            p += 8;
            q += 4;
          } while (q < end);
          v128.store(y, finish(s0, factor, centre, share));
          v128.store(y, finish(s1, factor, centre ? centre + 16 : 0, share), 16);
          v128.store(y, finish(s2, factor, centre ? centre + 32 : 0, share), 32);
          v128.store(y, finish(s3, factor, centre ? centre + 48 : 0, share), 48);
          from += 64;
          y += 64;
          if (centre) centre += 64;
        }
        while (left > 0) {
          const count = min(4, left);
          let sum = f32x4.splat(0);
          let q = place;
          let p = weight;
          do {
            const a = from + load<u32>(q);
            sum = gather(sum, a, a + step, v128.load32_splat(p), v128.load32_splat(p, 4));
            p += 8;
            q += 4;
          } while (q < end);
          storeFirst(y, finish(sum, factor, centre, share), count);
          const bytes = <usize>count << 2;
          from += bytes;
          y += bytes;
          if (centre) centre += bytes;
          left -= count;
        }
        place = end;
        weight += (<usize>points) << 4;
      }
    }
  }
}
