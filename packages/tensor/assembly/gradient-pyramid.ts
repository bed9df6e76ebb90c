import { accumulate, firstReader, lastReader, piece, readerWeight } from './gradient-spatial';
import { address, word } from './simd';

/**
 * The gradients of the nine products of each pixel of a coarse map, `[row of all images][pixel][9][channel]`, one row of the
 * coarse map at a time: for each of the three rows of taps, the rows of gy that such a product is mixed into are added up in a
 * row of the thread's own, then its pixels for each of the three columns of taps.
 *
 * A tap that reads the product at its place plus `d` hands its gradient on from its place minus `d`.
 *
 * args: 0 gy, 1 the result, 2 height and 3 width of the coarse map, 4 channels, 5 height and 6 width of gy, 7 rows of all
 * images of the coarse map, 8 rows per chunk, 9 scratch, 10 bytes of it per thread: a row of gy, rounded up to 16.
 */
export function pyramidTapGradient(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 2);
  const width = word(args, 3);
  const channels = word(args, 4);
  const rows = word(args, 5);
  const columns = word(args, 6);
  const perChunk = word(args, 8);
  const pixel = <usize>channels << 2;
  const line = columns * channels;
  const sums = address(args, 9) + <usize>thread * address(args, 10);
  const last = min(word(args, 7), (chunk + 1) * perChunk);
  for (let row = chunk * perChunk; row < last; row++) {
    const n = row / height;
    const y = row - n * height;
    const first = firstReader(y, height, rows);
    const end = lastReader(y, height, rows);
    for (let down = -1; down <= 1; down++) {
      let fresh = true;
      for (let at = 0; at < line; at += piece) {
        fresh = true;
        for (let o = max(first, down); o < min(end, rows + down); o++) {
          const factor = readerWeight(o, y, height, rows);
          if (factor == 0) continue;
          const from = address(args, 0) + ((<usize>(n * rows + o - down) * line + at) << 2);
          accumulate(sums + (<usize>at << 2), from, factor, min(piece, line - at), fresh);
          fresh = false;
        }
      }
      let to = address(args, 1) + (<usize>row * <usize>width * 9 + 3 * (down + 1)) * pixel;
      for (let x = 0; x < width; x++) {
        for (let right = -1; right <= 1; right++) {
          let empty = true;
          if (!fresh) {
            const stop = min(lastReader(x, width, columns), columns + right);
            for (let o = max(firstReader(x, width, columns), right); o < stop; o++) {
              const factor = readerWeight(o, x, width, columns);
              if (factor == 0) continue;
              accumulate(to, sums + <usize>(o - right) * pixel, factor, channels, empty);
              empty = false;
            }
          }
          if (empty) memory.fill(to, 0, pixel);
          to += pixel;
        }
        to += 6 * pixel;
      }
    }
  }
}
