import { epilogue, isTrivial, startingBias, storeLanes } from './gemm-epilogue';
import { address, madd, word } from './simd';

/*
 * Depthwise convolution: one filter per channel, 4 channels to a vector, strips of 4 pixels in registers where the
 * whole window lies inside the image, and single pixels with a clipped window at its borders.
 */

/** Filters `[channel][tap]` become `[tap][channel]`. args: from, to, channels, taps. */
export function packDepthwise(args: usize, chunk: i32, thread: i32): void {
  const channels = word(args, 2);
  const taps = word(args, 3);
  let from = address(args, 0);
  for (let channel = 0; channel < channels; channel++) {
    let to = address(args, 1) + ((<usize>channel) << 2);
    for (let tap = 0; tap < taps; tap++) {
      store<f32>(to, load<f32>(from));
      from += 4;
      to += (<usize>channels) << 2;
    }
  }
}

/** The channel after `channel` to begin a vector at: the last vector overlaps the one before it. */
// @ts-ignore: decorator
@inline
function nextVector(channel: i32, channels: i32): i32 {
  return channel + 4 >= channels ? channels : min(channel + 4, channels - 4);
}

/** The bias of four channels, or zeros; `start` is its address or 0. */
// @ts-ignore: decorator
@inline
function startOf(start: usize, lane: usize): v128 {
  return start ? v128.load(start + lane) : f32x4.splat(0);
}

/*
 * The functions below take the addresses of the first tap's input, of its filter and of the first pixel's output;
 * pitches are in bytes. Only `pixel` does for fewer than 4 channels and for an empty window.
 */

/** One pixel over a window of `kernelY` × `kernelX` taps. */
function pixel(
  x: usize, w: usize, y: usize, start: usize, channels: i32, kernelY: i32, kernelX: i32,
  linePitch: usize, tapPitch: usize, filterPitch: usize,
): void {
  const pitch = (<usize>channels) << 2;
  const lanes = min(4, channels);
  for (let channel = 0; channel < channels; channel = nextVector(channel, channels)) {
    const lane = (<usize>channel) << 2;
    let sum = startOf(start, lane);
    let line = x + lane;
    let filter = w + lane;
    for (let ky = 0; ky < kernelY; ky++) {
      let at = line;
      let weight = filter;
      for (let kx = 0; kx < kernelX; kx++) {
        sum = madd(v128.load(at), v128.load(weight), sum);
        at += tapPitch;
        weight += pitch;
      }
      line += linePitch;
      filter += filterPitch;
    }
    storeLanes(y + lane, sum, lanes);
  }
}

/** Four pixels with any kernel, stride and dilation along x. */
function strip(
  x: usize, w: usize, y: usize, start: usize, channels: i32, kernelY: i32, kernelX: i32,
  linePitch: usize, tapPitch: usize, pixelPitch: usize,
): void {
  const pitch = (<usize>channels) << 2;
  let channel = 0;
  do {
    const lane = (<usize>channel) << 2;
    let sum0 = startOf(start, lane);
    let sum1 = sum0;
    let sum2 = sum0;
    let sum3 = sum0;
    let line = x + lane;
    let filter = w + lane;
    let ky = kernelY;
    do {
      let at = line;
      let kx = kernelX;
      do {
        const weight = v128.load(filter);
        sum0 = madd(v128.load(at), weight, sum0);
        sum1 = madd(v128.load(at + pixelPitch), weight, sum1);
        sum2 = madd(v128.load(at + 2 * pixelPitch), weight, sum2);
        sum3 = madd(v128.load(at + 3 * pixelPitch), weight, sum3);
        at += tapPitch;
        filter += pitch;
      } while (--kx);
      line += linePitch;
    } while (--ky);
    const to = y + lane;
    v128.store(to, sum0);
    v128.store(to + pitch, sum1);
    v128.store(to + 2 * pitch, sum2);
    v128.store(to + 3 * pitch, sum3);
    channel = nextVector(channel, channels);
  } while (channel < channels);
}

/** Four pixels with a kernel 3 wide, stride and dilation 1 along x: taps that share a value load it once. */
function strip3(x: usize, w: usize, y: usize, start: usize, channels: i32, kernelY: i32, linePitch: usize): void {
  const pitch = (<usize>channels) << 2;
  let channel = 0;
  do {
    const lane = (<usize>channel) << 2;
    let sum0 = startOf(start, lane);
    let sum1 = sum0;
    let sum2 = sum0;
    let sum3 = sum0;
    let line = x + lane;
    let filter = w + lane;
    let ky = kernelY;
    do {
      const w0 = v128.load(filter);
      const w1 = v128.load(filter + pitch);
      const w2 = v128.load(filter + 2 * pitch);
      sum0 = madd(v128.load(line), w0, sum0);
      let at = line + pitch;
      let value = v128.load(at);
      sum0 = madd(value, w1, sum0);
      sum1 = madd(value, w0, sum1);
      at += pitch;
      value = v128.load(at);
      sum0 = madd(value, w2, sum0);
      sum1 = madd(value, w1, sum1);
      sum2 = madd(value, w0, sum2);
      at += pitch;
      value = v128.load(at);
      sum1 = madd(value, w2, sum1);
      sum2 = madd(value, w1, sum2);
      sum3 = madd(value, w0, sum3);
      at += pitch;
      value = v128.load(at);
      sum2 = madd(value, w2, sum2);
      sum3 = madd(value, w1, sum3);
      sum3 = madd(v128.load(at + pitch), w2, sum3);
      line += linePitch;
      filter += 3 * pitch;
    } while (--ky);
    const to = y + lane;
    v128.store(to, sum0);
    v128.store(to + pitch, sum1);
    v128.store(to + 2 * pitch, sum2);
    v128.store(to + 3 * pitch, sum3);
    channel = nextVector(channel, channels);
  } while (channel < channels);
}

/** Like {@link strip3} with a kernel 5 wide. */
function strip5(x: usize, w: usize, y: usize, start: usize, channels: i32, kernelY: i32, linePitch: usize): void {
  const pitch = (<usize>channels) << 2;
  let channel = 0;
  do {
    const lane = (<usize>channel) << 2;
    let sum0 = startOf(start, lane);
    let sum1 = sum0;
    let sum2 = sum0;
    let sum3 = sum0;
    let line = x + lane;
    let filter = w + lane;
    let ky = kernelY;
    do {
      const w0 = v128.load(filter);
      const w1 = v128.load(filter + pitch);
      const w2 = v128.load(filter + 2 * pitch);
      const w3 = v128.load(filter + 3 * pitch);
      const w4 = v128.load(filter + 4 * pitch);
      sum0 = madd(v128.load(line), w0, sum0);
      let at = line + pitch;
      let value = v128.load(at);
      sum0 = madd(value, w1, sum0);
      sum1 = madd(value, w0, sum1);
      at += pitch;
      value = v128.load(at);
      sum0 = madd(value, w2, sum0);
      sum1 = madd(value, w1, sum1);
      sum2 = madd(value, w0, sum2);
      at += pitch;
      value = v128.load(at);
      sum0 = madd(value, w3, sum0);
      sum1 = madd(value, w2, sum1);
      sum2 = madd(value, w1, sum2);
      sum3 = madd(value, w0, sum3);
      at += pitch;
      value = v128.load(at);
      sum0 = madd(value, w4, sum0);
      sum1 = madd(value, w3, sum1);
      sum2 = madd(value, w2, sum2);
      sum3 = madd(value, w1, sum3);
      at += pitch;
      value = v128.load(at);
      sum1 = madd(value, w4, sum1);
      sum2 = madd(value, w3, sum2);
      sum3 = madd(value, w2, sum3);
      at += pitch;
      value = v128.load(at);
      sum2 = madd(value, w4, sum2);
      sum3 = madd(value, w3, sum3);
      sum3 = madd(v128.load(at + pitch), w4, sum3);
      line += linePitch;
      filter += 5 * pitch;
    } while (--ky);
    const to = y + lane;
    v128.store(to, sum0);
    v128.store(to + pitch, sum1);
    v128.store(to + 2 * pitch, sum2);
    v128.store(to + 3 * pitch, sum3);
    channel = nextVector(channel, channels);
  } while (channel < channels);
}

/** The first tap whose position `origin + tap · dilation` is not negative, at most `kernel`. */
// @ts-ignore: decorator
@inline
function firstTap(origin: i32, dilation: i32, kernel: i32): i32 {
  return origin >= 0 ? 0 : min(kernel, (dilation - 1 - origin) / dilation);
}

/** The end of the taps whose position `origin + tap · dilation` lies before `size`. */
// @ts-ignore: decorator
@inline
function lastTap(origin: i32, dilation: i32, kernel: i32, size: i32): i32 {
  return origin >= size ? 0 : min(kernel, (size - 1 - origin) / dilation + 1);
}

/**
 * One chunk computes `size` rows of the result.
 *
 * args: 0 x, 1 packed filters, 2 y, 3 H, 4 W, 5 C, 6 Ho, 7 Wo, 8–9 kernel y x, 10–11 stride, 12–13 padding,
 * 14–15 dilation, 16 N · Ho, 17 size, 18–22 epilogue.
 */
export function depthwise(args: usize, chunk: i32, thread: i32): void {
  const height = word(args, 3);
  const width = word(args, 4);
  const channels = word(args, 5);
  const outHeight = word(args, 6);
  const outWidth = word(args, 7);
  const kernelY = word(args, 8);
  const kernelX = word(args, 9);
  const strideX = word(args, 11);
  const padX = word(args, 13);
  const dilationY = word(args, 14);
  const dilationX = word(args, 15);
  const size = word(args, 17);
  const start = startingBias(args, 18);
  const trivial = isTrivial(args, 18);

  const pitch = (<usize>channels) << 2;
  const linePitch = (<usize>(dilationY * width)) * pitch;
  const tapPitch = (<usize>dilationX) * pitch;
  const pixelPitch = (<usize>strideX) * pitch;
  const filterPitch = (<usize>kernelX) * pitch;
  // Columns from `inner` to `outer` see their whole window.
  const inner = (padX + strideX - 1) / strideX;
  const reach = width - 1 - (kernelX - 1) * dilationX + padX;
  const outer = reach < 0 ? 0 : min(outWidth, reach / strideX + 1);
  const wide = channels >= 4;
  const dense = strideX == 1 && dilationX == 1;

  const end = min(word(args, 16), (chunk + 1) * size);
  for (let row = chunk * size; row < end; row++) {
    const image = row / outHeight;
    const originY = (row - image * outHeight) * word(args, 10) - word(args, 12);
    const fromY = firstTap(originY, dilationY, kernelY);
    const countY = max(0, lastTap(originY, dilationY, kernelY, height) - fromY);
    const line = address(args, 0) + (<usize>((image * height + originY + fromY * dilationY) * width)) * pitch;
    const w = address(args, 1) + (<usize>fromY) * filterPitch;
    const rowOffset = (<usize>(row * outWidth)) * pitch;
    const y = address(args, 2) + rowOffset;
    let column = 0;
    while (column < outWidth) {
      const originX = column * strideX - padX;
      const to = y + (<usize>column) * pitch;
      const x = line + (<usize>originX) * pitch;
      if (column >= inner && column + 4 <= outer && wide && countY > 0) {
        if (dense && kernelX == 3) strip3(x, w, to, start, channels, countY, linePitch);
        else if (dense && kernelX == 5) strip5(x, w, to, start, channels, countY, linePitch);
        else strip(x, w, to, start, channels, countY, kernelX, linePitch, tapPitch, pixelPitch);
        // The last strip overlaps the one before it.
        column = column + 4 < outer ? min(column + 4, max(inner, outer - 4)) : column + 4;
      } else {
        const fromX = firstTap(originX, dilationX, kernelX);
        const countX = max(0, lastTap(originX, dilationX, kernelX, width) - fromX);
        pixel(
          x + (<usize>fromX) * tapPitch, w + (<usize>fromX) * pitch, to, start, channels, countY, countX,
          linePitch, tapPitch, filterPitch,
        );
        column++;
      }
    }
    if (!trivial) epilogue(args, 18, y, pitch, y, pitch, outWidth, channels, 0, rowOffset);
  }
}
