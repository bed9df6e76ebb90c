/**
 * The last step of a convolution over maps of several sizes, as a shader. For each coarse map the products of its pixels
 * with the nine taps of the kernel lie in memory, at the map's own size; a pixel of the result is the sum over the taps
 * of what bilinear upsampling makes of the products at the tap's place. Taps outside of the image count nothing: that
 * is the convolution's zero padding.
 *
 * An invocation computes four outputs of a run of pixels of a row. It goes over the columns of the coarse map under the run:
 * in each it first adds up the taps down the kernel's three columns, which all pixels of the run share.
 */
import { floatBuffer, type FloatEncoding, type Lanes } from '../floats.wgsl.js';
import { linearBuiltins, linearInvocation, storage, uniformBlock, type UniformBlock } from '../wgsl.js';
import { epilogueStorage, epilogueWgsl, type EpilogueShape } from './epilogue.wgsl.js';
import { sampleWgsl } from './resize.js';

export const pyramidInvocations = 64;

export interface PyramidSum {
  /** Coarse maps that are added. */
  readonly levels: number;
  /** Pixels of an invocation. */
  readonly run: number;
  /** Whether the sums begin with what is in memory already, and not with 0. */
  readonly onTop: boolean;
  /** Whether that is a buffer of its own, and not the result's. */
  readonly apart: boolean;
  readonly to: FloatEncoding;
  /** Whether results are stored four at a time. */
  readonly vectors: boolean;
  readonly epilogue: EpilogueShape;
}

const levelNumbers = (levels: number): number[] => Array.from({ length: levels }, (_, i) => i);

export function pyramidUniforms(levels: number): UniformBlock<Readonly<Record<string, 'u32'>>> {
  const names = [
    // Invocations; vectors of outputs that they compute, from the first on, and those of a block of the products.
    ...['count', 'vectors', 'firstVector', 'block'],
    ...['images', 'height', 'width', 'runs', 'outputs'],
    ...levelNumbers(levels).flatMap((i) => [`height${i}`, `width${i}`]),
  ];
  return uniformBlock(Object.fromEntries(names.map((name) => [name, 'u32' as const])));
}

export function pyramidSumWgsl({ levels, run, onTop, apart, to, vectors, epilogue }: PyramidSum): string {
  const lanes: Lanes = vectors ? 'vec4<f32>' : 'f32';
  const y = floatBuffer('read_write', 'y', lanes, to);
  const before = apart ? floatBuffer('read', 'before', lanes) : y;
  const pixels = Array.from({ length: run }, (_, i) => i);
  const places = Array.from({ length: run + 2 }, (_, i) => i);
  const at = (i: number): string => `let pixel = (line * params.width + firstX + ${i}u) * params.outputs`;
  const load = vectors
    ? (i: number): string => `${at(i)} / 4u + vector; sum${i} = ${before.load('pixel')};`
    : (i: number): string =>
        `${at(i)} + vector * 4u; sum${i} = vec4<f32>(${[0, 1, 2, 3].map((k) => before.load(k === 0 ? 'pixel' : `pixel + ${k}u`)).join(', ')});`;
  const store = vectors
    ? (i: number): string => `${at(i)} / 4u + vector; ${y.store('pixel', `finish(sum${i}, pixel, vector)`)}`
    : (i: number): string =>
        `${at(i)} + vector * 4u; let four = finish(sum${i}, pixel, vector * 4u); for (var k = 0u; k < min(4u, params.outputs - vector * 4u); k++) { ${y.store('pixel + k', 'four[k]')} }`;
  const inside = (code: (i: number) => string): string =>
    pixels
      .map((i) => (i === 0 ? `  { ${code(i)} }` : `  if (firstX + ${i}u < params.width) { ${code(i)} }`))
      .join('\n');

  return `${storage(
    ...levelNumbers(levels).map((i) => ['read', `products${i}`, 'array<vec4<f32>>'] as const),
    apart && before.declaration,
    ...epilogueStorage(epilogue, lanes),
    y.declaration,
  )}
${pyramidUniforms(levels).wgsl}
${sampleWgsl}
${epilogueWgsl(epilogue, 'vec4<f32>', lanes)}
// Where a position reads; one outside of the image reads nowhere.
fn place(i: u32, input: u32, output: u32) -> Sample {
  if (i >= output) { return Sample(0xffffffffu, 0xffffffffu, 0.0); }
  return sample(i, input, output);
}
fn share(place: Sample, column: u32) -> f32 {
  return select(0.0, 1.0 - place.weight, place.low == column) + select(0.0, place.weight, place.high == column);
}
@compute @workgroup_size(${pyramidInvocations}) fn main(${linearBuiltins}) {
  let i = ${linearInvocation(pyramidInvocations)};
  if (i >= params.count) { return; }
  let local4 = i % params.vectors;
  let vector = params.firstVector + local4;
  let firstX = i / params.vectors % params.runs * ${run}u;
  let line = i / params.vectors / params.runs;
  let row = line % params.height;
  let image = line / params.height;
${pixels.map((p) => `  var sum${p} = vec4<f32>();`).join('\n')}
${onTop ? `${inside(load)}\n` : ''}${levelNumbers(levels).map(levelWgsl).join('\n')}
${inside(store)}
}
`;

  function levelWgsl(level: number): string {
    const [height, width] = [`params.height${level}`, `params.width${level}`];
    const terms = (p: number): string =>
      [0, 1, 2].reduce((sum, tap) => `fma(vec4<f32>(share${p + tap}), tap${tap}, ${sum})`, `sum${p}`);
    return `  {
    let size = ${height} * ${width};
    // Pixels of the products: block by block, image by image.
    let first = (local4 / params.block * params.images + image) * size;
    let lane = local4 % params.block;
    let pitch = 9u * params.block;
${[0, 1, 2].map((t) => `    let line${t} = place(row + ${t}u - 1u, ${height}, params.height);`).join('\n')}
${places.map((p) => `    let place${p} = place(firstX + ${p}u - 1u, ${width}, params.width);`).join('\n')}
    let last = sample(min(firstX + ${run}u, params.width - 1u), ${width}, params.width).high;
    for (var column = sample(max(firstX, 1u) - 1u, ${width}, params.width).low; column <= last; column++) {
${[0, 1, 2].map((tap) => `      var tap${tap} = vec4<f32>();`).join('\n')}
${[0, 1, 2]
  .map(
    (t) => `      if (line${t}.low < ${height}) {
        let low = (first + line${t}.low * ${width} + column) * pitch + ${t * 3}u * params.block + lane;
        let high = (first + line${t}.high * ${width} + column) * pitch + ${t * 3}u * params.block + lane;
${[0, 1, 2]
  .map((tap) => {
    const step = tap === 0 ? '' : ` + ${tap}u * params.block`;
    return `        tap${tap} += mix(products${level}[low${step}], products${level}[high${step}], line${t}.weight);`;
  })
  .join('\n')}
      }`,
  )
  .join('\n')}
${places.map((p) => `      let share${p} = share(place${p}, column);`).join('\n')}
${pixels.map((p) => `      sum${p} = ${terms(p)};`).join('\n')}
    }
  }`;
  }
}
