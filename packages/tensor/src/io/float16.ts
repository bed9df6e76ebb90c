/**
 * Whole arrays of 16-bit floats to and from f32: IEEE 754 binary16 (`f16`) and bfloat16 (`bf16`, the upper half of an
 * f32). The bits travel in `Uint16Array`s.
 */
import { floatToHalf, halfToFloat } from '../half.js';

let halfTable: Float32Array | undefined;

/** Widens f16 bits to f32, exactly. */
export function halfToFloat32(bits: Uint16Array): Float32Array {
  // All 65536 values fit a table of 256 KiB, which is about ten times faster than computing each.
  halfTable ??= Float32Array.from({ length: 0x10000 }, (_, index) => halfToFloat(index));
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = halfTable[bits[i]!]!;
  return values;
}

/** Rounds f32 to f16 bits: to nearest, ties to even; beyond 65504 becomes infinity. */
export function float32ToHalf(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) {
    const word = words[i]!;
    const magnitude = word & 0x7fffffff;
    // From 2^-14 to below 2^16 only the exponent's bias changes and 13 bits go: half of the last place that stays is
    // added, less one where that place is even. A carry makes the next exponent, and from 65520 on the infinity.
    halves[i] =
      magnitude >= 0x38800000 && magnitude < 0x47800000
        ? ((word >>> 16) & 0x8000) | ((magnitude - 0x38000000 + 0xfff + ((word >>> 13) & 1)) >>> 13)
        : floatToHalf(values[i]!);
  }
  return halves;
}

/** Widens bf16 bits to f32, exactly. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return new Float32Array(words.buffer);
}
