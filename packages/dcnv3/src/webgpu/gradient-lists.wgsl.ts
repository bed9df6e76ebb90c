/**
 * Which sampling points read which pixels. A point whose location lies between the rows `i − 1` and `i` and the columns
 * `j − 1` and `j` is in cell (i, j) of its image and group: a map of H×W pixels has (H + 1)×(W + 1) cells, and points outside
 * are in none. The points are sorted by cells with integer atomics: count, prefix sums, fill.
 *
 * Afterwards `ends[cell]` is where a cell's part of the list ends and that of the next cell begins. The two cells left and
 * right of a pixel lie side by side, above as well as below it.
 */
import { defineShader, linearBuiltins, linearInvocation, storage, uniformBlock } from '@ii/tensor';
import { middle, pointCount, type Geometry } from '../geometry.js';
import { location, powerWgsl, uniforms } from './dcnv3.wgsl.js';

/** Invocations of a workgroup where nothing is shared among them. */
export const invocations = 64;

/** What the location of a sampling point depends on. */
export interface SampleShader extends Geometry {
  /** Whether the offset scale is other than 1. */
  readonly scaled: boolean;
}

/**
 * Declares the location of `point` of the output pixel `source`: `moved`, counted from the pixel (`nearX`, `nearY`).
 *
 * @param sample number of the point among all, WGSL.
 */
export function locateSample(shader: SampleShader, sample: string): string {
  const { kernelSize, stride, padding, dilation, scaled } = shader;
  return `    let centreX = i32(source % params.outWidth) * ${stride[1]} + ${middle(shader, 1) - padding[1]};
    let centreY = i32(source / params.outWidth % params.outHeight) * ${stride[0]} + ${middle(shader, 0) - padding[0]};
    // Points run down the kernel's columns.
    let gridX = i32(point / ${kernelSize[0]}u) * ${dilation[1]} - ${middle(shader, 1)};
    let gridY = i32(point % ${kernelSize[0]}u) * ${dilation[0]} - ${middle(shader, 0)};
    let displacement = offset[${sample}];
${location(scaled)}`;
}

/** The softmax over each group's points, which every later step needs. */
export const softmaxShader = defineShader(
  'dcnv3GradientSoftmax',
  ({ points }: { readonly points: number }) => `${storage(
    ['read', 'mask', 'array<f32>'],
    ['read_write', 'weights', 'array<f32>'],
  )}
${uniforms.wgsl}
${powerWgsl}
@compute @workgroup_size(${invocations}) fn main(${linearBuiltins}) {
  let place = ${linearInvocation(invocations)};
  if (place >= params.count) { return; }
  let first = place * ${points}u;
  var largest = mask[first];
  for (var point = 1u; point < ${points}u; point++) { largest = max(largest, mask[first + point]); }
  var total = 0.0;
  for (var point = 0u; point < ${points}u; point++) { total += power(mask[first + point] - largest); }
  for (var point = 0u; point < ${points}u; point++) {
    weights[first + point] = power(mask[first + point] - largest) / total;
  }
}
`,
);

const sizeUniforms = uniformBlock({ count: 'u32' });

/** The uniform words of the shaders below that know nothing but how much there is to do. */
export const sizeWords = (count: number): number[] => sizeUniforms.words({ count });

export const clearShader = defineShader(
  'dcnv3GradientClear',
  () => `${storage(['read_write', 'cells', 'array<u32>'])}
${sizeUniforms.wgsl}
@compute @workgroup_size(${invocations}) fn main(${linearBuiltins}) {
  let i = ${linearInvocation(invocations)};
  if (i < params.count) { cells[i] = 0u; }
}
`,
);

interface SortShader extends SampleShader {
  /** Whether to write the list, or to count the points of each cell. */
  readonly fill: boolean;
}

/** An invocation for each sampling point. List entries are `output pixel · points + point`. */
export const sortShader = defineShader('dcnv3GradientSort', (shader: SortShader) => {
  const points = pointCount(shader);
  return `${storage(
    ['read', 'offset', 'array<vec2<f32>>'],
    ['read_write', 'cells', 'array<atomic<u32>>'],
    shader.fill && ['read_write', 'list', 'array<u32>'],
  )}
${uniforms.wgsl}
@compute @workgroup_size(${invocations}) fn main(${linearBuiltins}) {
    let sample = ${linearInvocation(invocations)};
    if (sample >= params.count) { return; }
    let place = sample / ${points}u;
    let point = sample % ${points}u;
    let source = place / params.groups;
${locateSample(shader, 'sample')}
    let low = vec2<f32>(f32(-1 - nearX), f32(-1 - nearY));
    let high = vec2<f32>(f32(params.width - nearX), f32(params.height - nearY));
    if (!(all(moved > low) && all(moved < high))) { return; }
    let whole = floor(moved);
    let column = u32(nearX + i32(whole.x) + 1);
    let row = u32(nearY + i32(whole.y) + 1);
    let image = source / (params.outWidth * params.outHeight);
    let map = image * params.groups + place % params.groups;
    let cell = (map * u32(params.height + 1) + row) * u32(params.width + 1) + column;
    ${shader.fill ? `list[atomicAdd(&cells[cell], 1u)] = source * ${points}u + point;` : 'atomicAdd(&cells[cell], 1u);'}
}
`;
});

/** Counts that one invocation adds up. */
export const run = 64;

/** The sum of each run of counts. */
export const sumRunsShader = defineShader(
  'dcnv3GradientSums',
  () => `${storage(['read', 'counts', 'array<u32>'], ['read_write', 'sums', 'array<u32>'])}
${sizeUniforms.wgsl}
@compute @workgroup_size(${invocations}) fn main(${linearBuiltins}) {
  let i = ${linearInvocation(invocations)};
  let first = i * ${run}u;
  if (first >= params.count) { return; }
  var sum = 0u;
  for (var k = first; k < min(params.count, first + ${run}u); k++) { sum += counts[k]; }
  sums[i] = sum;
}
`,
);

/** Replaces each count by the sum of those before it: of its run, and of the runs before where there are any. */
export const prefixShader = defineShader(
  'dcnv3GradientPrefix',
  ({ bases }: { readonly bases: boolean }) => `${storage(
    ['read_write', 'counts', 'array<u32>'],
    bases && ['read', 'bases', 'array<u32>'],
  )}
${sizeUniforms.wgsl}
@compute @workgroup_size(${invocations}) fn main(${linearBuiltins}) {
  let i = ${linearInvocation(invocations)};
  let first = i * ${run}u;
  if (first >= params.count) { return; }
  var sum = ${bases ? 'bases[i]' : '0u'};
  for (var k = first; k < min(params.count, first + ${run}u); k++) {
    let count = counts[k];
    counts[k] = sum;
    sum += count;
  }
}
`,
);
