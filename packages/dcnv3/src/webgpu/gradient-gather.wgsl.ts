/**
 * The gradient of x as a gather: an invocation takes a share of one group of one pixel of x and adds up, over the points
 * that read this pixel, their weights times gy. Nothing is added in memory, so no float atomics are needed.
 *
 * The order of a list is that in which atomics happened to be granted. In the deterministic form the sum does not depend on
 * it: a first pass finds the largest magnitude of the n terms, a second one adds them up as integers.
 *
 * Headroom: let n < 2^b, and every term below 2^e. Terms are scaled by 2^(29 − b − e), exactly, to below 2^(29 − b); rounded
 * to integers they add up to less than n · (2^(29 − b) + ½) < 2^30. What rounding left of each, at most ½, is scaled by
 * 2^(30 − b) and added up apart, to less than n · (2^(29 − b) + ½) < 2^30. So neither sum leaves an i32, and each term is off by
 * at most 2^(b − 31) units of the first sum, that is 2^(2b + e − 60): for the usual 36 terms (b = 6), 2^−48 of the largest.
 * Terms of less than 2^−97 count as 0, and an infinity or a NaN among the terms is the result.
 */
import { defineShader, linearBuiltins, linearInvocation, storage } from '@ii/tensor';
import { pointCount } from '../geometry.js';
import { uniforms } from './dcnv3.wgsl.js';
import { locateSample, type SampleShader } from './gradient-lists.wgsl.js';
import type { DCNv3Launch } from './launch.js';

export interface GatherShader extends SampleShader {
  readonly launch: DCNv3Launch;
  readonly groupChannels: number;
  readonly centerScale: boolean;
  readonly deterministic: boolean;
}

export const gatherShader = defineShader('dcnv3GradientGather', (shader: GatherShader) => {
  const { launch, groupChannels, centerScale, deterministic } = shader;
  const { lanes, reads, shares, invocations } = launch;
  const units = groupChannels / lanes;
  const points = pointCount(shader);
  const vector = (type: string): string => (lanes === 4 ? `vec4<${type}>` : type);
  const each = (code: (i: number) => string, indent = '  '): string =>
    Array.from({ length: reads }, (_, i) => `${indent}${code(i)}`).join('\n');
  // Shares of unequal size: the last one reads its last lane again and again, and stores it once.
  const even = reads * shares === units;
  const lane = (i: number): string => (even ? `${i}u` : `min(${i}u, last)`);

  /** Goes through the points around the pixel. */
  const visit = (code: (term: string, i: number) => string): string => `  for (var half = 0u; half < 2u; half++) {
    let end = select(lower.y, upper.y, half == 0u);
    for (var k = select(lower.x, upper.x, half == 0u); k < end; k++) {
    let entry = list[k];
    let source = entry / ${points}u;
    let point = entry % ${points}u;
    let giver = source * params.groups + channelGroup;
    let sample = giver * ${points}u + point;
${locateSample(shader, 'sample')}
    // Its place among the two rows and columns that the point reads: the fraction goes to the second.
    let whole = floor(moved);
    let step = vec2<f32>(f32(column - nearX), f32(row - nearY)) - whole;
    let near = select(select(vec2<f32>(), moved - whole, step == vec2<f32>(1.0)), 1.0 - (moved - whole), step == vec2<f32>());
    let weight = near.x * near.y * weights[sample]${centerScale ? ' * (1.0 - centerScale[giver])' : ''};
    let first = giver * ${units}u + share * ${reads}u;
${each((i) => code(`weight * gy[first + ${lane(i)}]`, i), '    ')}
    }
  }`;

  const inOrder = `${each((i) => `var sum${i} = Floats();`)}
${visit((term, i) => `sum${i} += ${term};`)}`;

  const exact = `${each((i) => `var largest${i} = Words();`)}
${visit((term, i) => `largest${i} = max(largest${i}, bitcast<Words>(${term}) & Words(0x7fffffffu));`)}
  let bits = 32u - countLeadingZeros(upper.y - upper.x + lower.y - lower.x);
  let fine = bitcast<f32>((157u - bits) << 23u);
${each((i) => `let scale${i} = powerOfTwo(exponentFor(largest${i}, bits));`)}
${each((i) => `var high${i} = Integers();`)}
${each((i) => `var low${i} = Integers();`)}
${visit(
  (term, i) => `{
      let scaled = ${term} * scale${i};
      let whole = round(scaled);
      high${i} += Integers(whole);
      low${i} += Integers(round((scaled - whole) * fine));
    }`,
)}
${each((i) => `var sum${i} = joined(high${i}, low${i}, fine, largest${i}, bits);`)}`;

  return `${storage(
    ['read', 'offset', 'array<vec2<f32>>'],
    ['read', 'weights', 'array<f32>'],
    centerScale && ['read', 'centerScale', 'array<f32>'],
    ['read', 'gy', `array<${vector('f32')}>`],
    ['read', 'ends', 'array<u32>'],
    ['read', 'list', 'array<u32>'],
    ['read_write', 'gx', `array<${vector('f32')}>`],
  )}
${uniforms.wgsl}
alias Floats = ${vector('f32')};
${deterministic ? exactWgsl(vector) : ''}
/** Where the points of two neighbouring cells begin and end. */
fn pairOfCells(cell: u32) -> vec2<u32> {
  var begin = 0u;
  if (cell > 0u) { begin = ends[cell - 1u]; }
  return vec2<u32>(begin, ends[cell + 1u]);
}

@compute @workgroup_size(${invocations}) fn main(${linearBuiltins}) {
  let invocation = ${linearInvocation(invocations)};
  if (invocation >= params.count) { return; }
  let share = invocation % ${shares}u;
  // The channel group, counted over all pixels: offsets, masks and channels all lie in this order.
  let place = invocation / ${shares}u;
  let channelGroup = place % params.groups;
  let pixel = i32(place / params.groups);
  let column = pixel % params.width;
  let row = pixel / params.width % params.height;
  let map = u32(pixel / (params.width * params.height)) * params.groups + channelGroup;
  let pitch = u32(params.width + 1);
  let cell = (map * u32(params.height + 1) + u32(row)) * pitch + u32(column);
  let upper = pairOfCells(cell);
  let lower = pairOfCells(cell + pitch);
${even ? '' : `  let last = ${units - 1}u - share * ${reads}u;\n`}${deterministic ? exact : inOrder}
  let to = place * ${units}u + share * ${reads}u;
${
  centerScale
    ? `  let keep = centerScale[place];
${each((i) => `sum${i} += keep * gy[to + ${lane(i)}];`)}
`
    : ''
}${each((i) => (even ? `gx[to + ${i}u] = sum${i};` : `if (${i}u <= last) { gx[to + ${i}u] = sum${i}; }`))}
}
`;
});

const exactWgsl = (vector: (type: string) => string): string => `alias Words = ${vector('u32')};
alias Integers = ${vector('i32')};

/** 29 − bits − e for terms below 2^e, of which \`largest\` holds the magnitude's bits. */
fn exponentFor(largest: Words, bits: u32) -> Integers {
  let exponent = Integers(clamp(largest >> Words(23u), Words(30u), Words(254u)));
  return max(Integers(155 - i32(bits)) - exponent, Integers(-126));
}

/** 2^exponent, for exponents from −126 to 127. */
fn powerOfTwo(exponent: Integers) -> Floats {
  return bitcast<Floats>((exponent + Integers(127)) << Words(23u));
}

fn joined(high: Integers, low: Integers, fine: f32, largest: Words, bits: u32) -> Floats {
  let sum = (Floats(high) + Floats(low) / fine) * powerOfTwo(-exponentFor(largest, bits));
  return select(sum, bitcast<Floats>(largest), largest >= Words(0x7f800000u));
}
`;
