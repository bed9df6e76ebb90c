import { transpose4x4Store } from './gemm-pack';
import { segmentBytes, tileRows } from './gemm-tile';

/*
 * Where the rows of a product's left operand lie: for each tile of a block, the number of its segments and the segments
 * as gemm-tile.ts reads them. Rows past the last one repeat it.
 */

/** Rows that lie `pitch` bytes apart: one segment of length `k`. */
export function plainSegments(table: usize, stride: usize, a: usize, pitch: usize, rows: i32, k: i32): void {
  for (let row = 0; row < rows; row += tileRows) {
    store<i32>(table, 1);
    store<i32>(table, k, 4);
    for (let r = 0; r < tileRows; r++) {
      store<usize>(table + ((<usize>r) << 2), a + (<usize>min(row + r, rows - 1)) * pitch, 8);
    }
    table += stride;
  }
}

/** Copies `rows` columns of a matrix with rows `pitch` bytes apart into rows of `k` floats, `toPitch` bytes apart. */
export function transposeBlock(to: usize, toPitch: usize, from: usize, pitch: usize, rows: i32, k: i32): void {
  for (let row = 0; row < rows; row += 4) {
    let at = from + ((<usize>row) << 2);
    let out = to + (<usize>row) * toPitch;
    let left = k;
    for (; left >= 4; left -= 4) {
      const at2 = at + 2 * pitch;
      const out2 = out + 2 * toPitch;
      transpose4x4Store(at, at + pitch, at2, at2 + pitch, out, out + toPitch, out2, out2 + toPitch);
      at += pitch << 2;
      out += 16;
    }
    for (; left > 0; left--) {
      for (let r: usize = 0; r < 4; r++) store<f32>(out + r * toPitch, load<f32>(at + (r << 2)));
      at += pitch;
      out += 4;
    }
  }
}

/** Bytes that {@link locatePixels} writes per row. */
// @ts-ignore: decorator
@inline
export const pixelBytes: usize = 12;

/**
 * For output pixels `first`, `first + 1`, … of a convolution: the place of the first tap (address, y, x), which may
 * lie outside of the image. `a` is the address of the first image's first channel of interest.
 */
export function locatePixels(
  to: usize,
  a: usize,
  first: i32,
  rows: i32,
  height: i32,
  width: i32,
  channels: i32,
  outHeight: i32,
  outWidth: i32,
  strideY: i32,
  strideX: i32,
  padY: i32,
  padX: i32,
): void {
  let line = first / outWidth;
  let ox = first - line * outWidth;
  let image = line / outHeight;
  let oy = line - image * outHeight;
  const end = to + (<usize>((rows + tileRows - 1) / tileRows * tileRows)) * pixelBytes;
  do {
    const y = oy * strideY - padY;
    const x = ox * strideX - padX;
    store<usize>(to, a + ((<usize>(((image * height + y) * width + x) * channels)) << 2));
    store<i32>(to, y, 4);
    store<i32>(to, x, 8);
    to += pixelBytes;
    // The rows that fill up the last tile repeat the last pixel.
    if (--rows > 0 && ++ox == outWidth) {
      ox = 0;
      if (++oy == outHeight) {
        oy = 0;
        image++;
      }
    }
  } while (to != end);
}

/**
 * The segments of a convolution's rows for `k` in `[from, to)`, counted over (ky, kx, channel). A tap outside of the
 * image reads `zeros`. With `joined` taps (each next to the one before it, all channels) a kernel row that lies inside
 * for the whole tile becomes one segment.
 */
export function tapSegments(
  table: usize,
  stride: usize,
  pixels: usize,
  rows: i32,
  from: i32,
  to: i32,
  height: i32,
  width: i32,
  channels: i32,
  kernelX: i32,
  dilationY: i32,
  dilationX: i32,
  perTap: i32,
  joined: i32,
  zeros: usize,
): void {
  const firstTap = from / perTap;
  const firstY = firstTap / kernelX;
  const firstX = firstTap - firstY * kernelX;
  const firstChannel = from - firstTap * perTap;
  for (let row = 0; row < rows; row += tileRows) {
    let join = joined;
    for (let r: usize = 0; r < <usize>tileRows; r++) {
      const x = load<i32>(pixels + r * pixelBytes, 8);
      if (x < 0 || x + kernelX > width) join = 0;
    }
    let at = table + 4;
    let count = 0;
    let ky = firstY;
    let kx = firstX;
    let channel = firstChannel;
    let k = from;
    do {
      const length = min((join ? (kernelX - kx) * perTap : perTap) - channel, to - k);
      const shiftY = ky * dilationY;
      const shiftX = kx * dilationX;
      const shift = (<usize>((shiftY * width + shiftX) * channels + channel)) << 2;
      store<i32>(at, length);
      for (let r: usize = 0; r < <usize>tileRows; r++) {
        const pixel = pixels + r * pixelBytes;
        const inside =
          <u32>(load<i32>(pixel, 4) + shiftY) < <u32>height && <u32>(load<i32>(pixel, 8) + shiftX) < <u32>width;
        store<usize>(at + (r << 2), inside ? load<usize>(pixel) + shift : zeros, 4);
      }
      at += segmentBytes;
      count++;
      k += length;
      channel = 0;
      if (join || ++kx == kernelX) {
        kx = 0;
        ky++;
      }
    } while (k < to);
    store<i32>(table, count);
    table += stride;
    pixels += (<usize>tileRows) * pixelBytes;
  }
}
