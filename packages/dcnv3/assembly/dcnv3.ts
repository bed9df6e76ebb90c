import { address, float, madd, storeFirst, word } from '../../tensor/assembly/simd';
import { fillGrid } from './grid';
import { placePoints } from './points';
import { firstLanes, raise, spreadLargest, sumPoints } from './softmax';

/*
 * Scratch memory of a thread: tables over the points of all groups of a pixel, each rounded up to whole vectors of four
 * points: the grid's x and its y, the largest logit of the point's group and the point's power (each with room for
 * three more elements), two places per point and four weights per point.
 */

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
          // Half a point at a time: more loads than that in one turn do not fit the registers. Neighbouring vectors are
          // read and written side by side, so that an engine can join them to 256 bits.
          do {
            const a = from + load<u32>(q);
            const b = a + step;
            const u = v128.load32_splat(p);
            const v = v128.load32_splat(p, 4);
            s0 = madd(v128.load(b), v, madd(v128.load(a), u, s0));
            s1 = madd(v128.load(b, 16), v, madd(v128.load(a, 16), u, s1));
            s2 = madd(v128.load(b, 32), v, madd(v128.load(a, 32), u, s2));
            s3 = madd(v128.load(b, 48), v, madd(v128.load(a, 48), u, s3));
            p += 8;
            q += 4;
          } while (q < end);
          s0 = f32x4.mul(s0, factor);
          s1 = f32x4.mul(s1, factor);
          s2 = f32x4.mul(s2, factor);
          s3 = f32x4.mul(s3, factor);
          if (centre) {
            s0 = madd(v128.load(centre), share, s0);
            s1 = madd(v128.load(centre, 16), share, s1);
            s2 = madd(v128.load(centre, 32), share, s2);
            s3 = madd(v128.load(centre, 48), share, s3);
            centre += 64;
          }
          v128.store(y, s0);
          v128.store(y, s1, 16);
          v128.store(y, s2, 32);
          v128.store(y, s3, 48);
          from += 64;
          y += 64;
        }
        while (left > 0) {
          const count = min(4, left);
          let sum = f32x4.splat(0);
          let q = place;
          let p = weight;
          do {
            const a = from + load<u32>(q);
            sum = madd(v128.load(a), v128.load32_splat(p), sum);
            sum = madd(v128.load(a + step), v128.load32_splat(p, 4), sum);
            p += 8;
            q += 4;
          } while (q < end);
          const scaled = f32x4.mul(sum, factor);
          storeFirst(y, centre ? madd(v128.load(centre), share, scaled) : scaled, count);
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
