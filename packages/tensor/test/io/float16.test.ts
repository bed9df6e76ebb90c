import { describe, expect, it } from 'vitest';
import { bfloat16ToFloat32, float32ToHalf, halfToFloat32 } from '../../src/io/index.js';

/** The value of half bits by the definition of binary16, in double precision. */
function definition(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * (fraction / 1024) * 2 ** -14 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

describe('f16', () => {
  it('decodes all 65536 values to their definition', () => {
    const values = halfToFloat32(all);
    const wrong = [...all].filter((bits) => !Object.is(values[bits], definition(bits)));
    expect(wrong).toEqual([]);
  });

  it('encodes all 65536 values back to their bits; NaNs stay NaN with their sign', () => {
    const back = float32ToHalf(halfToFloat32(all));
    const isNaNBits = (bits: number) => (bits & 0x7fff) > 0x7c00;
    const wrong = [...all].filter((bits) => (isNaNBits(bits) ? !isNaNBits(back[bits]!) : back[bits] !== bits));
    expect(wrong).toEqual([]);
  });

  it('rounds what lies between two neighbours to the nearest, ties to even, at every finite value', () => {
    const wrong: number[] = [];
    for (let bits = 0; bits < 0x7bff; bits++) {
      const middle = (definition(bits) + definition(bits + 1)) / 2;
      const ulp = middle * 2 ** -22;
      const [below, tie, above] = float32ToHalf(Float32Array.of(middle - ulp, middle, middle + ulp));
      const even = bits % 2 === 0 ? bits : bits + 1;
      if (below !== bits || tie !== even || above !== bits + 1) wrong.push(bits);
      const [negative] = float32ToHalf(Float32Array.of(-middle));
      if (negative !== (even | 0x8000)) wrong.push(-bits);
    }
    expect(wrong).toEqual([]);
  });

  it('overflows to infinity from 65520, and underflows to a signed zero up to 2^-25', () => {
    const encoded = float32ToHalf(
      Float32Array.of(65519.99, 65520, -65520, 3e38, 2 ** -25, -(2 ** -25), 2 ** -25 * 1.001, 1e-45),
    );
    expect([...encoded]).toEqual([0x7bff, 0x7c00, 0xfc00, 0x7c00, 0, 0x8000, 1, 0]);
  });
});

describe('bf16', () => {
  it('widens by appending sixteen zero bits', () => {
    const values = bfloat16ToFloat32(Uint16Array.of(0x3f80, 0xc020, 0x7f80, 0x0001, 0x8000, 0x7fc0));
    expect([...values]).toEqual([1, -2.5, Infinity, 9.183549615799121e-41, -0, NaN]);
  });
});
