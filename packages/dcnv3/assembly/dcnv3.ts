import { address, float, madd, storeFirst, word } from '../../tensor/assembly/simd';
import { firstNeighbour, highWeight, lowWeight, softmaxPoints } from './points';

/*
 * Scratch memory of a thread, each table rounded up to whole vectors of four points (all groups of a pixel in a row):
 * the grid's x and its y (f32), the mask after its softmax, the byte offset of the first of the four pixels that are
 * read, and the weights of the four (16 bytes per point).
 */

/** The grid of every point: `i · dilation − half the extent`; the points of a group run down the columns. */
// @ts-ignore: decorator
@inline
function fillGrid(args: usize, gridX: usize, gridY: usize): void {
  const rows = word(args, 15);
  const columns = word(args, 16);
  const middleY = (word(args, 21) * (rows - 1)) >> 1;
  const middleX = (word(args, 22) * (columns - 1)) >> 1;
  for (let group = word(args, 9); group > 0; group--) {
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < rows; j++) {
        store<f32>(gridX, <f32>(i * word(args, 22) - middleX));
        store<f32>(gridY, <f32>(j * word(args, 21) - middleY));
        gridX += 4;
        gridY += 4;
      }
    }
  }
}

/**
 * Weights and places of all points of a pixel, four at a time without branches. A location is the pixel's centre, an
 * integer, plus a part that is small, so that its fraction keeps its bits wherever the pixel lies.
 *
 * Of the four pixels around a location the first is moved inside the map, and the others follow at fixed distances;
 * where it was moved, by one if any weight is left, the two weights along that axis change places.
 */
// @ts-ignore: decorator
@inline
function placePoints(
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
  scale: f32,
): void {
  for (let at: usize = 0; at < count; at += 16) {
    const first = v128.load(offset);
    const second = v128.load(offset, 16);
    const dx = v128.shuffle<i32>(first, second, 0, 2, 4, 6);
    const dy = v128.shuffle<i32>(first, second, 1, 3, 5, 7);
    const x = f32x4.mul(f32x4.add(v128.load(gridX + at), dx), f32x4.splat(scale));
    const y = f32x4.mul(f32x4.add(v128.load(gridY + at), dy), f32x4.splat(scale));
    const floorX = f32x4.floor(x);
    const floorY = f32x4.floor(y);
    const fractionX = f32x4.sub(x, floorX);
    const fractionY = f32x4.sub(y, floorY);
    const lowX = i32x4.add(i32x4.trunc_sat_f32x4_s(floorX), i32x4.splat(centreX));
    const lowY = i32x4.add(i32x4.trunc_sat_f32x4_s(floorY), i32x4.splat(centreY));
    const firstX = firstNeighbour(lowX, width);
    const firstY = firstNeighbour(lowY, height);
    const index = i32x4.add(i32x4.mul(firstY, i32x4.splat(width)), firstX);
    v128.store(places + at, i32x4.mul(index, i32x4.splat(pixel)));

    const stayX = i32x4.eq(firstX, lowX);
    const stayY = i32x4.eq(firstY, lowY);
    const nearX = lowWeight(lowX, fractionX, width);
    const farX = highWeight(lowX, fractionX, width);
    const nearY = lowWeight(lowY, fractionY, height);
    const farY = highWeight(lowY, fractionY, height);
    const left = v128.bitselect(nearX, farX, stayX);
    const right = v128.bitselect(farX, nearX, stayX);
    const factor = v128.load(mask + at);
    const top = f32x4.mul(v128.bitselect(nearY, farY, stayY), factor);
    const bottom = f32x4.mul(v128.bitselect(farY, nearY, stayY), factor);
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
    weights += 64;
  }
}

/** Adds four channels of the four pixels at `a` to `sum`. */
// @ts-ignore: decorator
@inline
function gather(sum: v128, a: usize, right: usize, down: usize, w: v128, x: v128, y: v128, z: v128): v128 {
  const upper = madd(v128.load(a + right), x, f32x4.mul(v128.load(a), w));
  const under = madd(v128.load(a + down + right), z, f32x4.mul(v128.load(a + down), y));
  return f32x4.add(sum, f32x4.add(upper, under));
}

/** `sum · (1 − share) + x · share` where there is a centre scale. */
// @ts-ignore: decorator
@inline
function blendCentre(sum: v128, centre: usize, share: f32): v128 {
  if (centre == 0) return sum;
  return madd(v128.load(centre), f32x4.splat(share), f32x4.mul(sum, f32x4.splat(<f32>1 - share)));
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
  const all = <usize>(groups * points);
  const table = ((all + 3) & ~3) << 2;
  const pixel = (<usize>(groups * channels)) << 2;
  const image = <usize>(height * width) * pixel;
  const right = width > 1 ? pixel : 0;
  const down = height > 1 ? <usize>width * pixel : 0;

  const gridX = address(args, 5) + <usize>thread * address(args, 6);
  const gridY = gridX + table;
  const soft = gridY + table;
  const places = soft + table + 16;
  const weights = places + table;
  fillGrid(args, gridX, gridY);

  const last = min(word(args, 13), (chunk + 1) * perChunk);
  for (let row = chunk * perChunk; row < last; row++) {
    const n = row / rows;
    const rowOfImage = row - n * rows;
    const centreY = word(args, 19) + rowOfImage * word(args, 17);
    const x = address(args, 0) + <usize>n * image;
    for (let column = 0; column < columns; column++) {
      const at = <usize>(row * columns + column);
      const logits = address(args, 2) + ((at * all) << 2);
      let mask = logits;
      if (softmax) {
        mask = soft;
        for (let group = 0; group < groups; group++) {
          const first = (<usize>(group * points)) << 2;
          softmaxPoints(logits + first, soft + first, points);
        }
      }
      const offset = address(args, 1) + ((at * all) << 3);
      const centreX = word(args, 20) + column * word(args, 18);
      const bytes = <i32>pixel;
      placePoints(offset, mask, table, gridX, gridY, places, weights, centreX, centreY, height, width, bytes, scale);

      let from = x;
      let y = address(args, 4) + at * pixel;
      let centre = address(args, 3) ? address(args, 0) + at * pixel : 0;
      let share = address(args, 3) + ((at * <usize>groups) << 2);
      let place = places;
      let weight = weights;
      for (let group = 0; group < groups; group++) {
        const blend: f32 = centre ? load<f32>(share) : 0;
        const end = place + ((<usize>points) << 2);
        let channel = 0;
        for (; channel + 16 <= channels; channel += 16) {
          let s0 = f32x4.splat(0);
          let s1 = f32x4.splat(0);
          let s2 = f32x4.splat(0);
          let s3 = f32x4.splat(0);
          let q = place;
          let p = weight;
          do {
            const a = from + load<u32>(q);
            const w0 = v128.load32_splat(p);
            const w1 = v128.load32_splat(p, 4);
            const w2 = v128.load32_splat(p, 8);
            const w3 = v128.load32_splat(p, 12);
            s0 = gather(s0, a, right, down, w0, w1, w2, w3);
            s1 = gather(s1, a + 16, right, down, w0, w1, w2, w3);
            s2 = gather(s2, a + 32, right, down, w0, w1, w2, w3);
            s3 = gather(s3, a + 48, right, down, w0, w1, w2, w3);
            p += 16;
            q += 4;
          } while (q < end);
          v128.store(y, blendCentre(s0, centre, blend));
          v128.store(y, blendCentre(s1, centre ? centre + 16 : 0, blend), 16);
          v128.store(y, blendCentre(s2, centre ? centre + 32 : 0, blend), 32);
          v128.store(y, blendCentre(s3, centre ? centre + 48 : 0, blend), 48);
          from += 64;
          y += 64;
          if (centre) centre += 64;
        }
        for (; channel < channels; channel += 4) {
          const count = min(4, channels - channel);
          let sum = f32x4.splat(0);
          let q = place;
          let p = weight;
          do {
            const a = from + load<u32>(q);
            const w0 = v128.load32_splat(p);
            const w1 = v128.load32_splat(p, 4);
            const w2 = v128.load32_splat(p, 8);
            const w3 = v128.load32_splat(p, 12);
            sum = gather(sum, a, right, down, w0, w1, w2, w3);
            p += 16;
            q += 4;
          } while (q < end);
          storeFirst(y, blendCentre(sum, centre, blend), count);
          const step = <usize>count << 2;
          from += step;
          y += step;
          if (centre) centre += step;
        }
        place = end;
        weight += (<usize>points) << 4;
        share += 4;
      }
    }
  }
}
