/** The gradients of offsets, mask and centre scale: an invocation for each group of each output pixel, and no sharing. */
import { defineShader, linearBuiltins, linearInvocation, storage } from '@ii/tensor';
import { pointCount } from '../geometry.js';
import { uniforms } from './dcnv3.wgsl.js';
import { invocations, locateSample, type SampleShader } from './gradient-lists.wgsl.js';

export interface PointsShader extends SampleShader {
  /** Channels that are read at once. */
  readonly lanes: 1 | 4;
  readonly groupChannels: number;
  readonly softmax: boolean;
  readonly centerScale: boolean;
}

/** Most vectors of gy that an invocation keeps; wider groups read them again at each point. */
const mostKept = 8;

export const pointsShader = defineShader('dcnv3GradientPoints', (shader: PointsShader) => {
  const { lanes, groupChannels, softmax, centerScale, scaled } = shader;
  const type = lanes === 4 ? 'vec4<f32>' : 'f32';
  const units = groupChannels / lanes;
  const points = pointCount(shader);
  const kept = units <= mostKept;
  const times = (a: string, b: string): string => (lanes === 4 ? `dot(${a}, ${b})` : `${a} * ${b}`);
  /** Repeats code for each vector of a group: \`g\` is gy's, \`i\` its number. */
  const eachUnit = (code: (g: string, i: string) => string): string =>
    kept
      ? Array.from({ length: units }, (_, i) => code(`g${i}`, `${i}u`)).join('\n')
      : `    for (var i = 0u; i < ${units}u; i++) {
      let g = gy[first + i];
${code('g', 'i')}
    }`;

  return `${storage(
    ['read', 'x', `array<${type}>`],
    ['read', 'offset', 'array<vec2<f32>>'],
    ['read', 'weights', 'array<f32>'],
    ['read', 'gy', `array<${type}>`],
    centerScale && ['read', 'centerScale', 'array<f32>'],
    ['read_write', 'goffset', 'array<vec2<f32>>'],
    ['read_write', 'gmask', 'array<f32>'],
    centerScale && ['read_write', 'gcenterScale', 'array<f32>'],
  )}
${uniforms.wgsl}
@compute @workgroup_size(${invocations}) fn main(${linearBuiltins}) {
  let place = ${linearInvocation(invocations)};
  if (place >= params.count) { return; }
  let source = place / params.groups;
  let channelGroup = place % params.groups;
  let image = i32(source / (params.outWidth * params.outHeight)) * params.height * params.width;
  let pitch = params.groups * ${units}u;
  let first = place * ${units}u;
  // What the centre scale leaves of the sampled value.
  let rest = ${centerScale ? '1.0 - centerScale[place]' : '1.0'};
${kept ? eachUnit((g, i) => `  let ${g} = gy[first + ${i}];`) : ''}
  var sampled = 0.0;
  for (var point = 0u; point < ${points}u; point++) {
    let sample = place * ${points}u + point;
${locateSample(shader, 'sample')}
    let low = vec2<f32>(f32(-1 - nearX), f32(-1 - nearY));
    let high = vec2<f32>(f32(params.width - nearX), f32(params.height - nearY));
    if (!(all(moved > low) && all(moved < high))) {
      goffset[sample] = vec2<f32>();
      gmask[sample] = 0.0;
      continue;
    }
    let whole = floor(moved);
    let right = moved.x - whole.x;
    let down = moved.y - whole.y;
    let x0 = nearX + i32(whole.x);
    let y0 = nearY + i32(whole.y);
    let column0 = max(x0, 0);
    let column1 = min(x0 + 1, params.width - 1);
    let row0 = image + max(y0, 0) * params.width;
    let row1 = image + min(y0 + 1, params.height - 1) * params.width;
    let from00 = u32(row0 + column0) * pitch + channelGroup * ${units}u;
    let from01 = u32(row0 + column1) * pitch + channelGroup * ${units}u;
    let from10 = u32(row1 + column0) * pitch + channelGroup * ${units}u;
    let from11 = u32(row1 + column1) * pitch + channelGroup * ${units}u;
    // The products of gy and the four neighbours; outside of the map there are zeros.
    var product00 = 0.0;
    var product01 = 0.0;
    var product10 = 0.0;
    var product11 = 0.0;
${eachUnit(
  (g, i) => `    product00 += ${times(g, `x[from00 + ${i}]`)};
    product01 += ${times(g, `x[from01 + ${i}]`)};
    product10 += ${times(g, `x[from10 + ${i}]`)};
    product11 += ${times(g, `x[from11 + ${i}]`)};`,
)}
    let a = select(0.0, product00, x0 >= 0 && y0 >= 0);
    let b = select(0.0, product01, x0 + 1 < params.width && y0 >= 0);
    let c = select(0.0, product10, x0 >= 0 && y0 + 1 < params.height);
    let d = select(0.0, product11, x0 + 1 < params.width && y0 + 1 < params.height);
    let weight = weights[sample];
    let factor = weight * rest${scaled ? ' * params.offsetScale' : ''};
    goffset[sample] = factor * vec2<f32>(
      (1.0 - down) * (b - a) + down * (d - c),
      (1.0 - right) * (c - a) + right * (d - b),
    );
    let value = (1.0 - down) * ((1.0 - right) * a + right * b) + down * ((1.0 - right) * c + right * d);
    sampled += weight * value;
    gmask[sample] = value * rest;
  }
${
  softmax
    ? `  for (var point = 0u; point < ${points}u; point++) {
    let sample = place * ${points}u + point;
    gmask[sample] = weights[sample] * (gmask[sample] - sampled * rest);
  }
`
    : ''
}${
    centerScale
      ? `  var centred = 0.0;
${eachUnit((g, i) => `    centred += ${times(g, `x[first + ${i}]`)};`)}
  gcenterScale[place] = centred - sampled;
`
      : ''
  }}
`;
});
