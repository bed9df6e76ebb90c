import type { DType } from '../../../dtype.js';
import type { Slot } from '../../../kernel.js';
import { sizeOf } from '../../../shape.js';
import { defineShader, read, takingHalves, write, type WebGpuKernel } from '../program.js';
import { flatGrid, flatMain, storage, uniformBlock } from '../wgsl.js';
import { contiguousCopy } from './layout.js';

const uniforms = uniformBlock({ count: 'u32' });

/** Four elements as they lie in memory. */
const packed: Readonly<Record<DType, string>> = { f32: 'vec4<u32>', i32: 'vec4<i32>', f16: 'vec2<u32>', u8: 'u32' };

/*
 * Floats pass through the conversions as bits: rounding of halves is the implementation's choice in WGSL's own
 * functions, and floats may lose subnormal values and the bits of NaNs.
 */

/** `fn load`: four elements as integers, or as the bits of floats. */
const load: Readonly<Record<DType, string>> = {
  f32: 'fn load(i: u32) -> vec4<u32> {\n  return x[i];\n}',
  i32: 'fn load(i: u32) -> vec4<i32> {\n  return x[i];\n}',
  u8: `fn load(i: u32) -> vec4<i32> {
  return vec4<i32>((vec4<u32>(x[i]) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(0xffu));
}`,
  f16: `fn load(i: u32) -> vec4<u32> {
  let halves = (x[i].xxyy >> vec4<u32>(0u, 16u, 0u, 16u)) & vec4<u32>(0xffffu);
  let sign = (halves & vec4<u32>(0x8000u)) << vec4<u32>(16u);
  let exponent = (halves >> vec4<u32>(10u)) & vec4<u32>(0x1fu);
  let fraction = halves & vec4<u32>(0x3ffu);
  let normal = ((exponent + 112u) << vec4<u32>(23u)) | (fraction << vec4<u32>(13u));
  // A subnormal half is its fraction times 2^-24, a normal float.
  let subnormal = bitcast<vec4<u32>>(vec4<f32>(fraction) * 5.9604644775390625e-8);
  let special = vec4<u32>(0x7f800000u) | (fraction << vec4<u32>(13u));
  let finite = select(normal, subnormal, exponent == vec4<u32>(0u));
  return sign | select(finite, special, exponent == vec4<u32>(31u));
}`,
};

const integerToFloat = `fn convert(v: vec4<i32>) -> vec4<u32> {
  return bitcast<vec4<u32>>(vec4<f32>(v));
}`;

/** Truncation towards zero, the range's ends for what lies beyond it, 0 for NaN. */
const floatToInteger = `fn convert(bits: vec4<u32>) -> vec4<i32> {
  let v = bitcast<vec4<f32>>(bits);
  let magnitude = bits & vec4<u32>(0x7fffffffu);
  var whole = vec4<i32>(clamp(v, vec4<f32>(-2147483648.0), vec4<f32>(2147483520.0)));
  let beyond = magnitude >= vec4<u32>(0x4f000000u);
  whole = select(whole, select(vec4<i32>(0x7fffffff), vec4<i32>(-0x7fffffff - 1), bits != magnitude), beyond);
  return select(whole, vec4<i32>(0), magnitude > vec4<u32>(0x7f800000u));
}`;

/** `fn pack`: what {@link load} gives, as it lies in memory. */
const pack: Readonly<Record<DType, string>> = {
  f32: 'fn pack(v: vec4<u32>) -> vec4<u32> {\n  return v;\n}',
  i32: 'fn pack(v: vec4<i32>) -> vec4<i32> {\n  return v;\n}',
  u8: `fn pack(v: vec4<i32>) -> u32 {
  let bytes = vec4<u32>(clamp(v, vec4<i32>(0), vec4<i32>(255)));
  return bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}`,
  // Rounds to nearest, ties to even; a carry out of the fraction raises the exponent as it should.
  f16: `fn pack(bits: vec4<u32>) -> vec2<u32> {
  let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
  let magnitude = bits & vec4<u32>(0x7fffffffu);
  let exponent = vec4<i32>(magnitude >> vec4<u32>(23u)) - 112;
  let fraction = magnitude & vec4<u32>(0x7fffffu);
  let normal = exponent > vec4<i32>(0);
  let significand = select(fraction | vec4<u32>(0x800000u), (vec4<u32>(exponent) << vec4<u32>(23u)) | fraction, normal);
  let shift = select(vec4<u32>(min(14 - exponent, vec4<i32>(31))), vec4<u32>(13u), normal);
  let kept = significand >> shift;
  let rest = significand & ((vec4<u32>(1u) << shift) - 1u);
  let middle = vec4<u32>(1u) << (shift - 1u);
  let up = (rest > middle) | ((rest == middle) & ((kept & vec4<u32>(1u)) == vec4<u32>(1u)));
  var half = kept + select(vec4<u32>(0u), vec4<u32>(1u), up);
  half = select(half, vec4<u32>(0u), exponent < vec4<i32>(-10));
  half = select(half, vec4<u32>(0x7c00u), exponent >= vec4<i32>(31));
  half = select(half, vec4<u32>(0x7e00u) | (fraction >> vec4<u32>(13u)), magnitude > vec4<u32>(0x7f800000u));
  half |= sign;
  return half.xz | (half.yw << vec2<u32>(16u));
}`,
};

/** `fn pack`: four floats, given as bits, as two words of halves, rounded to nearest. */
export const packHalvesWgsl = pack.f16;

const isFloat = (dtype: DType): boolean => dtype === 'f32' || dtype === 'f16';

const castShader = defineShader('cast', ({ from, to }: { readonly from: DType; readonly to: DType }) => {
  const change = isFloat(from) ? floatToInteger : integerToFloat;
  const converted = isFloat(from) === isFloat(to) ? 'load(i)' : 'convert(load(i))';
  return `${storage(['read', 'x', `array<${packed[from]}>`], ['read_write', 'y', `array<${packed[to]}>`])}
${uniforms.wgsl}
${load[from]}
${isFloat(from) === isFloat(to) ? '' : `${change}\n`}${pack[to]}
${flatMain}
  y[i] = pack(${converted});
}`;
});

/**
 * Four elements per invocation; buffers are padded, so that the last four need no care. Results are stored as their dtype
 * says, so that integers become exact floats.
 */
export const castWebGpu: WebGpuKernel<{ x: Slot }, { y: Slot }, object> = takingHalves(
  ['x'],
  ({ x }, { y }, _params, machine) => {
    const count = Math.ceil(sizeOf(y.shape) / 4);
    if (count === 0) return [];
    const from = x.storage ?? x.dtype;
    if (from === y.dtype) return [contiguousCopy(x, y, machine)];
    return [
      {
        shader: castShader({ from, to: y.dtype }),
        bindings: [read(x), write(y)],
        uniforms: uniforms.words({ count }),
        workgroups: flatGrid(count, machine),
      },
    ];
  },
);
