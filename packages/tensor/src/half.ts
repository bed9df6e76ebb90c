/**
 * IEEE 754 binary16 on hosts without `Float16Array`: bits in a `Uint16Array` on one side, numbers on the other.
 */
const floatView = new Float32Array(1);
const bitsView = new Uint32Array(floatView.buffer);

/** The value of half-precision `bits`. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The values of many halves. */
export function halvesToFloats(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = halfToFloat(bits[i]!);
  return values;
}

/** The half-precision bits nearest to `value`, ties to even; too large becomes infinity. */
export function floatToHalf(value: number): number {
  floatView[0] = value;
  const bits = bitsView[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  if (exponent === 255) return sign | 0x7c00 | (fraction ? 0x200 | (fraction >>> 13) : 0);
  const half = exponent - 112;
  if (half >= 31) return sign | 0x7c00;
  if (half < -10) return sign;
  // Subnormal halves keep fewer bits of the significand; a carry out of the fraction raises the exponent as it should.
  const significand = half > 0 ? (half << 23) | fraction : (fraction | 0x800000) >>> 0;
  const shift = half > 0 ? 13 : 14 - half;
  const kept = significand >>> shift;
  const rest = significand & ((1 << shift) - 1);
  const middle = 1 << (shift - 1);
  return sign | (kept + (rest > middle || (rest === middle && kept & 1) ? 1 : 0));
}
