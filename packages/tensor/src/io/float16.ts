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
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = floatToHalf(values[i]!);
  return bits;
}

/** Widens bf16 bits to f32, exactly. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return new Float32Array(words.buffer);
}
