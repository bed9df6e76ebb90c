import { address, madd, word } from './simd';

/** The first output whose tap at `offset` lies inside, `offset` from the first tap's position at output 0. */
// @ts-ignore: decorator
@inline
function firstOutput(offset: i32, stride: i32): i32 {
  return offset >= 0 ? 0 : (stride - 1 - offset) / stride;
}

/** The end of the outputs whose tap at `offset` lies inside `size`. */
// @ts-ignore: decorator
@inline
function lastOutput(offset: i32, stride: i32, size: i32, outputs: i32): i32 {
  return offset >= size ? 0 : min(outputs, (size - 1 - offset) / stride + 1);
}

/**
 * The gradient of a depthwise filter over one block of output rows; blocks depend on the shape alone. args: 0 x, 1 gy,
 * 2 partial results (f32 [blocks, taps, channels rounded up to 4]), 3 H, 4 W, 5 C, 6 Ho, 7 Wo, 8–9 kernel y x, 10–11 stride,
 * 12–13 padding, 14–15 dilation, 16 N · Ho, 17 rows per block.
 */
export function depthwiseWeightBlocks(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 3);
  const width = word(args, 4);
  const channels = word(args, 5);
  const outHeight = word(args, 6);
  const outWidth = word(args, 7);
  const kernelY = word(args, 8);
  const kernelX = word(args, 9);
  const strideX = word(args, 11);
  const dilationX = word(args, 15);
  const perBlock = word(args, 17);
  const pitch = <usize>channels << 2;
  const padded = (<usize>(channels + 3) & ~3) << 2;
  const step = <usize>strideX * pitch;
  const partial = address(args, 2) + <usize>chunk * <usize>(kernelY * kernelX) * padded;
  memory.fill(partial, 0, <usize>(kernelY * kernelX) * padded);
  const end = min(word(args, 16), (chunk + 1) * perBlock);
  for (let row = chunk * perBlock; row < end; row++) {
    const image = row / outHeight;
    const originY = (row - image * outHeight) * word(args, 10) - word(args, 12);
    const gy = address(args, 1) + <usize>row * <usize>outWidth * pitch;
    for (let ky = 0; ky < kernelY; ky++) {
      const y = originY + ky * word(args, 14);
      if (y < 0 || y >= height) continue;
      const x = address(args, 0) + <usize>(image * height + y) * <usize>width * pitch;
      for (let kx = 0; kx < kernelX; kx++) {
        const offset = kx * dilationX - word(args, 13);
        const from = firstOutput(offset, strideX);
        const to = lastOutput(offset, strideX, width, outWidth);
        const sums = partial + <usize>(ky * kernelX + kx) * padded;
        for (let lane: usize = 0; lane < padded; lane += 16) {
          let sum = v128.load(sums + lane);
          let a = x + <usize>(from * strideX + offset) * pitch + lane;
          let b = gy + <usize>from * pitch + lane;
          for (let left = to - from; left > 0; left--) {
            sum = madd(v128.load(a), v128.load(b), sum);
            a += step;
            b += pitch;
          }
          v128.store(sums + lane, sum);
        }
      }
    }
  }
}

/** Joins blocks in f64. args: 0 partial results, 1 gw (f32 [channels, taps]), 2 blocks, 3 channels, 4 taps, 5 taps per chunk. */
export function joinDepthwiseBlocks(args: usize, chunk: i32, thread: i32): void {
  const blocks = word(args, 2);
  const channels = word(args, 3);
  const taps = word(args, 4);
  const perChunk = word(args, 5);
  const padded = (<usize>(channels + 3) & ~3) << 2;
  const last = min(taps, (chunk + 1) * perChunk);
  for (let tap = chunk * perChunk; tap < last; tap++) {
    for (let channel = 0; channel < channels; channel++) {
      let at = address(args, 0) + <usize>tap * padded + (<usize>channel << 2);
      let total: f64 = 0;
      for (let block = 0; block < blocks; block++) {
        total += <f64>load<f32>(at);
        at += <usize>taps * padded;
      }
      store<f32>(address(args, 1) + (<usize>(channel * taps + tap) << 2), <f32>total);
    }
  }
}
