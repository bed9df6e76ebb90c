/**
 * DCNv3 as a shader: an invocation computes a share of one group of one output pixel. Neighbouring invocations take
 * neighbouring channels, then groups, then pixels.
 */
import { floatBuffer, linearBuiltins, linearInvocation, storage, uniformBlock, type FloatEncoding } from '@ii/tensor';
import type { Geometry } from '../geometry.js';
import { middle, pointCount } from '../geometry.js';
import type { DCNv3Launch } from './launch.js';

export interface DCNv3Shader extends Geometry {
  readonly launch: DCNv3Launch;
  readonly groupChannels: number;
  /** Whether the offset scale is other than 1. */
  readonly scaled: boolean;
  readonly softmax: boolean;
  readonly centerScale: boolean;
  readonly encodings: DCNv3Encodings;
}

/** How the operands lie in memory. */
export interface DCNv3Encodings {
  readonly x: FloatEncoding;
  readonly offset: FloatEncoding;
  readonly mask: FloatEncoding;
  readonly centerScale: FloatEncoding;
  readonly y: FloatEncoding;
}

export const uniforms = uniformBlock({
  ...{ count: 'u32', groups: 'u32', offsetScale: 'f32' },
  ...{ height: 'i32', width: 'i32', outHeight: 'u32', outWidth: 'u32' },
});

/**
 * `fn power`: `e^x` for `x ≤ 0` within 2 ulp, where the built-in function may be off by `2·|x|`. `x = n · ln 2 + r`, ln 2 in two
 * parts of which the first has so few bits that its product with `n` is exact, and a polynomial in `r`.
 */
export const powerWgsl = `fn power(x: f32) -> f32 {
  let clamped = max(x, -87.0);
  let n = round(clamped * 1.44269504);
  let r = fma(n, 2.12194440e-4, fma(n, -0.693359375, clamped));
  var q = fma(1.38189388e-3, r, 8.36870354e-3);
  q = fma(q, r, 4.16682884e-2);
  q = fma(q, r, 0.166665211);
  q = fma(q, r, 0.49999994);
  return ldexp(fma(r * r, q, r) + 1.0, i32(n));
}`;

export function dcnv3Wgsl(shader: DCNv3Shader): string {
  const { launch, groupChannels, scaled, softmax, centerScale, kernelSize, stride, padding, dilation } = shader;
  const { lanes, reads, shares, invocations } = launch;
  const type = lanes === 4 ? 'vec4<f32>' : 'f32';
  const { encodings } = shader;
  const x = floatBuffer('read', 'x', type, encodings.x);
  const offset = floatBuffer('read', 'offset', 'vec2<f32>', encodings.offset);
  const mask = floatBuffer('read', 'mask', 'f32', encodings.mask);
  const share = floatBuffer('read', 'centerScale', 'f32', encodings.centerScale);
  const y = floatBuffer('read_write', 'y', type, encodings.y);
  const units = groupChannels / lanes;
  const points = pointCount(shader);
  const weightAt = (point: string): string => mask.load(`place * ${points}u${point}`);
  const channels = Array.from({ length: reads }, (_, i) => i);
  const each = (code: (i: number) => string, indent = 4): string =>
    channels.map((i) => `${' '.repeat(indent)}${code(i)}`).join('\n');
  // Shares of unequal size: the last one reads its last lane again and again, and stores it once.
  const even = reads * shares === units;
  const store = (i: number): string => y.store(`to + ${i}u`, `sum${i}`);
  const lane = (i: number): string => (even ? `${i}u` : `min(${i}u, last)`);

  return `${storage(
    x.declaration,
    offset.declaration,
    mask.declaration,
    centerScale && share.declaration,
    y.declaration,
  )}
${uniforms.wgsl}
${softmax ? `${powerWgsl}\n` : ''}@compute @workgroup_size(${invocations}) fn main(${linearBuiltins}) {
  let invocation = ${linearInvocation(invocations)};
  if (invocation >= params.count) { return; }
  let share = invocation % ${shares}u;
  // The channel group, counted over all pixels: offsets, masks and channels all lie in this order.
  let place = invocation / ${shares}u;
  let pixel = place / params.groups;
  let channelGroup = place % params.groups;
  let line = pixel / params.outWidth;
  // The pixel under the kernel's middle.
  let centreX = i32(pixel % params.outWidth) * ${stride[1]} + ${middle(shader, 1) - padding[1]};
  let centreY = i32(line % params.outHeight) * ${stride[0]} + ${middle(shader, 0) - padding[0]};
  let image = i32(line / params.outHeight) * params.height * params.width;
  let pitch = params.groups * ${units}u;
  let first = channelGroup * ${units}u + share * ${reads}u;
${even ? '' : `  let last = ${units - 1}u - share * ${reads}u;\n`}${
    softmax
      ? `  var largest = ${weightAt('')};
  for (var point = 1u; point < ${points}u; point++) { largest = max(largest, ${weightAt(' + point')}); }
  var total = 0.0;
`
      : ''
  }${each((i) => `var sum${i} = ${type}();`, 2)}
  for (var point = 0u; point < ${points}u; point++) {
    // Points run down the kernel's columns.
    let gridX = i32(point / ${kernelSize[0]}u) * ${dilation[1]} - ${middle(shader, 1)};
    let gridY = i32(point % ${kernelSize[0]}u) * ${dilation[0]} - ${middle(shader, 0)};
    let displacement = ${offset.load(`place * ${points}u + point`)};
${location(scaled)}
    // Whole and fractional part of the location; beyond the border it is where nothing is left of the map.
    let low = vec2<f32>(f32(-1 - nearX), f32(-1 - nearY));
    let high = vec2<f32>(f32(params.width - nearX), f32(params.height - nearY));
    let inside = clamp(moved, low, high);
    let whole = floor(inside);
    let right = inside.x - whole.x;
    let down = inside.y - whole.y;
    let x0 = nearX + i32(whole.x);
    let y0 = nearY + i32(whole.y);
    // Neighbours outside of the map are read inside of it, with weight 0.
    let left = select(0.0, 1.0 - right, x0 >= 0 && x0 < params.width);
    let rest = select(0.0, right, x0 + 1 < params.width);
    ${softmax ? `let weight = power(${weightAt(' + point')} - largest);\n    total += weight;` : `let weight = ${weightAt(' + point')};`}
    let upper = select(0.0, 1.0 - down, y0 >= 0 && y0 < params.height) * weight;
    let under = select(0.0, down, y0 + 1 < params.height) * weight;
    let column0 = clamp(x0, 0, params.width - 1);
    let column1 = min(x0 + 1, params.width - 1);
    let row0 = image + clamp(y0, 0, params.height - 1) * params.width;
    let row1 = image + min(y0 + 1, params.height - 1) * params.width;
    let from00 = u32(row0 + column0) * pitch + first;
    let from01 = u32(row0 + column1) * pitch + first;
    let from10 = u32(row1 + column0) * pitch + first;
    let from11 = u32(row1 + column1) * pitch + first;
    let weight00 = upper * left;
    let weight01 = upper * rest;
    let weight10 = under * left;
    let weight11 = under * rest;
${each(
  (i) =>
    `sum${i} += ${['00', '01', '10', '11'].map((corner) => `weight${corner} * ${x.load(`from${corner} + ${lane(i)}`)}`).join(' + ')};`,
)}
  }
${softmax ? each((i) => `sum${i} /= total;`, 2) : ''}
  let to = place * ${units}u + share * ${reads}u;
${
  centerScale
    ? `  let keep = ${share.load('place')};
${each((i) => `sum${i} = sum${i} * (1.0 - keep) + ${x.load(`to + ${lane(i)}`)} * keep;`, 2)}
`
    : ''
}${each((i) => (even ? store(i) : `if (${i}u <= last) { ${store(i)} }`), 2)}
}
`;
}

/**
 * Declares `moved`, what is added to the pixel (`nearX`, `nearY`). The whole steps of the grid stay apart from the
 * offset where they can, so that f32 keeps the bits of a small offset.
 */
export function location(scaled: boolean): string {
  if (!scaled) {
    return `    let nearX = centreX + gridX;
    let nearY = centreY + gridY;
    let moved = displacement;`;
  }
  return `    let nearX = centreX;
    let nearY = centreY;
    let moved = (vec2<f32>(f32(gridX), f32(gridY)) + displacement) * params.offsetScale;`;
}
