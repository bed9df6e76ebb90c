/**
 * The transforms of Winograd's F(4×4, 3×3) as shaders; `assembly/winograd-transforms.ts` derives the three linear maps. An
 * invocation has one channel of one tile to itself, so that 36 numbers are all it must hold, and neighbours read and write
 * neighbouring channels.
 */
import { floatBuffer, type FloatEncoding, type Lanes } from '../floats.wgsl.js';
import { linearBuiltins, linearInvocation, storage, uniformBlock } from '../wgsl.js';
import { epilogueStorage, epilogueWgsl, type EpilogueShape } from './epilogue.wgsl.js';

export const transformInvocations = 64;

const six = [0, 1, 2, 3, 4, 5] as const;
const four = six.slice(0, 4);
const list = (items: readonly number[], text: (i: number) => string): string => items.map(text).join(', ');

/** Where the tiles of a band lie. */
const tileFields = { tilesY: 'u32', tilesX: 'u32', firstTile: 'u32' } as const;

/** `channel`, and the place of the tile in its image, of invocation `i`. */
const tileWgsl = `  let channel = i % params.channels;
  let tile = params.firstTile + i / params.channels;
  let line = tile / params.tilesX;
  let image = line / params.tilesY;
  let tileY = line % params.tilesY;
  let tileX = tile % params.tilesX;`;

const main = `@compute @workgroup_size(${transformInvocations}) fn main(${linearBuiltins}) {
  let i = ${linearInvocation(transformInvocations)};
  if (i >= params.count) { return; }
${tileWgsl}`;

/** How a transform sees its image; channels and steps count lanes. */
interface ImageShape {
  readonly lanes: Lanes;
  readonly encoding: FloatEncoding;
}

/** `[image, y, x, channel]` → 36 matrices `[tile of the band, channel]`, `matrixStep` elements apart. */
export const inputUniforms = uniformBlock({
  ...{ count: 'u32', channels: 'u32', ...tileFields, matrixStep: 'u32' },
  ...{ height: 'u32', width: 'u32', paddingY: 'u32', paddingX: 'u32' },
});

export function winogradInputWgsl({ lanes, encoding }: ImageShape): string {
  const x = floatBuffer('read', 'x', lanes, encoding);
  return `${storage(x.declaration, ['read_write', 'transformed', `array<${lanes}>`])}
${inputUniforms.wgsl}
fn transform(${list(six, (i) => `d${i}: ${lanes}`)}) -> array<${lanes}, 6> {
  let e = d4 - d2;
  let f = d3 - d1;
  let a = fma(d3, ${lanes}(1.5), e);
  let b = fma(d2, ${lanes}(1.5), f);
  return array<${lanes}, 6>(
    fma(f, ${lanes}(1.5), e + (d0 - d2)), a + b, a - b,
    fma(f, ${lanes}(2.0), e), fma(f, ${lanes}(-0.5), e), fma(e, ${lanes}(1.5), (d5 - d3) - f),
  );
}
// Coordinates outside of the image have wrapped around or lie beyond its sides.
fn load(image: u32, y: u32, x_: u32, channel: u32) -> ${lanes} {
  if (y >= params.height || x_ >= params.width) { return ${lanes}(); }
  return ${x.load('((image * params.height + y) * params.width + x_) * params.channels + channel')};
}
${main}
  let y = tileY * 4u - params.paddingY;
  let x_ = tileX * 4u - params.paddingX;
${six
  .map((c) => `  let column${c} = transform(${list(six, (r) => `load(image, y + ${r}u, x_ + ${c}u, channel)`)});`)
  .join('\n')}
${six
  .map(
    (r) => `  let row${r} = transform(${list(six, (c) => `column${c}[${r}]`)});
${six.map((c) => `  transformed[${r * 6 + c}u * params.matrixStep + i] = row${r}[${c}];`).join('\n')}`,
  )
  .join('\n')}
}
`;
}

/** 36 matrices `[tile of the band, channel]` → `[image, y, x, channel]` by way of the epilogue. */
export const outputUniforms = uniformBlock({
  ...{ count: 'u32', channels: 'u32', ...tileFields, matrixStep: 'u32' },
  ...{ height: 'u32', width: 'u32' },
});

export function winogradOutputWgsl({
  lanes,
  encoding,
  epilogue,
}: ImageShape & { readonly epilogue: EpilogueShape }): string {
  const y = floatBuffer('read_write', 'y', lanes, encoding);
  return `${storage(['read', 'products', `array<${lanes}>`], ...epilogueStorage(epilogue, lanes), y.declaration)}
${outputUniforms.wgsl}
${epilogueWgsl(epilogue, lanes)}
fn transform(${list(six, (i) => `m${i}: ${lanes}`)}) -> array<${lanes}, 4> {
  let s = m1 + m2;
  let t = m1 - m2;
  return array<${lanes}, 4>(
    (m0 + s) + (m3 + m4),
    t + fma(m4, ${lanes}(-2.0), m3 * 0.5),
    s + fma(m4, ${lanes}(4.0), m3 * 0.25),
    (t + m5) + fma(m4, ${lanes}(-8.0), m3 * 0.125),
  );
}
fn store(image: u32, y_: u32, x: u32, channel: u32, sum: ${lanes}) {
  if (y_ >= params.height || x >= params.width) { return; }
  let at = ((image * params.height + y_) * params.width + x) * params.channels + channel;
  ${y.store('at', 'finish(sum, at, channel)')}
}
${main}
${six
  .map((c) => `  let column${c} = transform(${list(six, (r) => `products[${r * 6 + c}u * params.matrixStep + i]`)});`)
  .join('\n')}
${four
  .map(
    (r) => `  let row${r} = transform(${list(six, (c) => `column${c}[${r}]`)});
${four.map((c) => `  store(image, tileY * 4u + ${r}u, tileX * 4u + ${c}u, channel, row${r}[${c}]);`).join('\n')}`,
  )
  .join('\n')}
}
`;
}

/** PyTorch's `[output, channel, 3, 3]` → 36 matrices `[channel][output]`, both padded to fours with zeros. */
export const weightUniforms = uniformBlock({
  ...{ count: 'u32', columns: 'u32', outputs: 'u32' },
  ...{ allChannels: 'u32', firstChannel: 'u32', channels: 'u32' },
});

export const winogradWeightWgsl = (): string => `${storage(
  ['read', 'weight', 'array<f32>'],
  ['read_write', 'packed', 'array<f32>'],
)}
${weightUniforms.wgsl}
fn transform(g0: f32, g1: f32, g2: f32) -> array<f32, 6> {
  let ends = g0 + g2;
  return array<f32, 6>(
    g0, (ends + g1) / 3.0, (g1 - ends) / 3.0,
    fma(g2, 0.25, fma(g1, 0.5, g0)) * (-16.0 / 15.0), fma(g2, 4.0, fma(g1, -2.0, g0)) / 15.0, g2,
  );
}
@compute @workgroup_size(${transformInvocations}) fn main(${linearBuiltins}) {
  let i = ${linearInvocation(transformInvocations)};
  if (i >= params.count) { return; }
  let output = i % params.columns;
  let channel = i / params.columns;
  var g: array<f32, 9>;
  if (output < params.outputs && channel < params.channels) {
    let start = (output * params.allChannels + params.firstChannel + channel) * 9u;
    for (var tap = 0u; tap < 9u; tap++) { g[tap] = weight[start + tap]; }
  }
${[0, 1, 2].map((c) => `  let column${c} = transform(g[${c}], g[${3 + c}], g[${6 + c}]);`).join('\n')}
${six
  .map(
    (r) => `  let row${r} = transform(${list([0, 1, 2], (c) => `column${c}[${r}]`)});
${six.map((c) => `  packed[${r * 6 + c}u * params.count + i] = row${r}[${c}];`).join('\n')}`,
  )
  .join('\n')}
}
`;

/** A range of the channels of `[image, y, x, channel]`, of which there are `pixel`, → 36 matrices `[tile of the band, channel]`. */
export const outputGradientUniforms = uniformBlock({
  ...{ count: 'u32', channels: 'u32', ...tileFields, matrixStep: 'u32' },
  ...{ height: 'u32', width: 'u32', pixel: 'u32', firstChannel: 'u32' },
});

/** The transpose of the output's transform. */
export const winogradOutputGradientWgsl = (): string => `${storage(
  ['read', 'gy', 'array<f32>'],
  ['read_write', 'spread', 'array<f32>'],
)}
${outputGradientUniforms.wgsl}
fn transform(${list(four, (i) => `y${i}: f32`)}) -> array<f32, 6> {
  let even = y0 + y2;
  let odd = y1 + y3;
  return array<f32, 6>(
    y0, even + odd, even - odd,
    fma(fma(fma(y3, 0.5, y2), 0.5, y1), 0.5, y0), fma(fma(fma(y3, -2.0, y2), -2.0, y1), -2.0, y0), y3,
  );
}
fn load(image: u32, y: u32, x: u32, channel: u32) -> f32 {
  if (y >= params.height || x >= params.width) { return 0.0; }
  return gy[((image * params.height + y) * params.width + x) * params.pixel + params.firstChannel + channel];
}
${main}
${four
  .map(
    (c) =>
      `  let column${c} = transform(${list(four, (r) => `load(image, tileY * 4u + ${r}u, tileX * 4u + ${c}u, channel)`)});`,
  )
  .join('\n')}
${six
  .map(
    (r) => `  let row${r} = transform(${list(four, (c) => `column${c}[${r}]`)});
${six.map((c) => `  spread[${r * 6 + c}u * params.matrixStep + i] = row${r}[${c}];`).join('\n')}`,
  )
  .join('\n')}
}
`;

/** 36 matrices `[output][channel]` of `count` elements → PyTorch's `[output, channel, 3, 3]` from element `first` on. */
export const weightGradientUniforms = uniformBlock({ count: 'u32', first: 'u32' });

/** The transpose of the weight's transform. */
export const winogradWeightGradientWgsl = (): string => `${storage(
  ['read', 'sums', 'array<f32>'],
  ['read_write', 'gw', 'array<f32>'],
)}
${weightGradientUniforms.wgsl}
fn transform(${list(six, (i) => `u${i}: f32`)}) -> array<f32, 3> {
  let difference = (u1 - u2) / 3.0;
  return array<f32, 3>(
    u0 + difference + fma(u3, -16.0, u4) / 15.0,
    (u1 + u2) / 3.0 - fma(u3, 8.0, u4 * 2.0) / 15.0,
    u5 + difference + (u4 - u3) * (4.0 / 15.0),
  );
}
@compute @workgroup_size(${transformInvocations}) fn main(${linearBuiltins}) {
  let i = ${linearInvocation(transformInvocations)};
  if (i >= params.count) { return; }
${six
  .map((c) => `  let column${c} = transform(${list(six, (r) => `sums[${r * 6 + c}u * params.count + i]`)});`)
  .join('\n')}
  let to = (params.first + i) * 9u;
${[0, 1, 2]
  .map(
    (r) => `  let row${r} = transform(${list(six, (c) => `column${c}[${r}]`)});
${[0, 1, 2].map((c) => `  gw[to + ${r * 3 + c}u] = row${r}[${c}];`).join('\n')}`,
  )
  .join('\n')}
}
`;
