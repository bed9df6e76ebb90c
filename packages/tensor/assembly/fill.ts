import { address, word } from './simd';

/** Writes `lanes` over the bytes of a chunk; what is left behind the last 16 bytes goes in steps of 4, 2 and 1. */
// @ts-ignore: decorator
@inline
function fillBytes(args: usize, chunk: i32, lanes: v128, bytesPerElement: i32): void {
  const size = word(args, 2);
  let at = address(args, 0) + <usize>(chunk * size) * bytesPerElement;
  const end = address(args, 0) + <usize>min(word(args, 1), (chunk + 1) * size) * bytesPerElement;
  while (at + 16 <= end) {
    v128.store(at, lanes);
    at += 16;
  }
  while (at + 4 <= end) {
    v128.store32_lane(at, lanes, 0);
    at += 4;
  }
  if (bytesPerElement < 4) {
    if (at + 2 <= end) {
      v128.store16_lane(at, lanes, 0);
      at += 2;
    }
    if (at < end) v128.store8_lane(at, lanes, 0);
  }
}

/** Fills elements of 4 bytes. args: y, length, chunk length, value (any word). */
export function fillF32(args: usize, chunk: i32, thread: i32): void {
  fillBytes(args, chunk, v128.load32_splat(args, 12), 4);
}

/** Fills elements of 2 bytes. args: y, length, chunk length, value (in the low half). */
export function fillF16(args: usize, chunk: i32, thread: i32): void {
  fillBytes(args, chunk, v128.load16_splat(args, 12), 2);
}

/** Fills bytes. args: y, length, chunk length, value (in the low byte). */
export function fillU8(args: usize, chunk: i32, thread: i32): void {
  fillBytes(args, chunk, v128.load8_splat(args, 12), 1);
}
