import type { Slot } from '../../../kernel.js';
import type { Conv2dInputs, Conv2dParams } from '../../../ops/conv2d-forward.js';
import { sizeOf } from '../../../shape.js';
import { encodingOf, floatBuffer, type FloatEncoding, type Lanes } from '../floats.wgsl.js';
import { defineShader, linearGrid, read, takingHalves, write, type WebGpuKernel } from '../program.js';
import { linearBuiltins, linearInvocation, storage, uniformBlock } from '../wgsl.js';
import { epilogueBindings, epilogueShape, epilogueStorage, epilogueWgsl, type EpilogueShape } from './epilogue.wgsl.js';
import { packedWeight } from './packing.js';
import { chooseRun } from './tiles.js';

const invocations = 64;

interface DepthwiseParams {
  readonly lanes: Lanes;
  readonly from: FloatEncoding;
  readonly to: FloatEncoding;
  /** Neighbouring pixels of a row that an invocation computes: they share the pixels that they are computed from. */
  readonly run: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly epilogue: EpilogueShape;
}

const uniforms = uniformBlock({
  // Invocations in all, runs in a row of the output, and lanes of a pixel and of a row of the packed filters.
  ...{ count: 'u32', runs: 'u32', lanes: 'u32', filterLanes: 'u32' },
  ...{ height: 'u32', width: 'u32', outHeight: 'u32', outWidth: 'u32' },
});

const depthwiseShader = defineShader('depthwiseConv2d', (p: DepthwiseParams) => {
  const { lanes, run, kernel, stride, padding, dilation, epilogue } = p;
  const pixels = Array.from({ length: run }, (_, i) => i);
  const taps = Array.from({ length: kernel[1] }, (_, i) => i);
  // Which filters meet which sums at each of the input's columns, counted from that under the run's first tap.
  const columns = new Map<number, string[]>();
  for (const pixel of pixels) {
    for (const tap of taps) {
      const column = pixel * stride[1] + tap * dilation[1];
      const term = `sum${pixel} = fma(value, filter${tap}, sum${pixel});`;
      columns.set(column, [...(columns.get(column) ?? []), term]);
    }
  }
  const x = floatBuffer('read', 'x', lanes, p.from);
  const y = floatBuffer('read_write', 'y', lanes, p.to);
  const others = [...epilogueStorage(epilogue, lanes), y.declaration];
  return `${storage(x.declaration, ['read', 'filters', `array<${lanes}>`], ...others)}
${uniforms.wgsl}
${epilogueWgsl(epilogue, lanes)}
@compute @workgroup_size(${invocations}) fn main(${linearBuiltins}) {
  let invocation = ${linearInvocation(invocations)};
  if (invocation >= params.count) { return; }
  let lane = invocation % params.lanes;
  let firstX = (invocation / params.lanes) % params.runs * ${run}u;
  let line = invocation / params.lanes / params.runs;
  let inY = i32(line % params.outHeight) * ${stride[0]} - ${padding[0]};
  let inX = i32(firstX) * ${stride[1]} - ${padding[1]};
  let image = line / params.outHeight;
${pixels.map((i) => `  var sum${i} = ${lanes}();`).join('\n')}
  for (var tapY = 0u; tapY < ${kernel[0]}u; tapY++) {
    let row = inY + i32(tapY) * ${dilation[0]};
    if (u32(row) >= params.height) { continue; }
    let start = (image * params.height + u32(row)) * params.width;
${taps.map((i) => `    let filter${i} = filters[(tapY * ${kernel[1]}u + ${i}u) * params.filterLanes + lane];`).join('\n')}
${[...columns]
  .map(
    ([column, terms]) => `    {
      let at = inX + ${column};
      if (u32(at) < params.width) {
        let value = ${x.load('(start + u32(at)) * params.lanes + lane')};
        ${terms.join('\n        ')}
      }
    }`,
  )
  .join('\n')}
  }
  let pixel = line * params.outWidth + firstX;
${pixels
  .map((i) => {
    const store = `let at = (pixel + ${i}u) * params.lanes + lane; ${y.store('at', `finish(sum${i}, at, lane)`)}`;
    return i === 0 ? `  { ${store} }` : `  if (firstX + ${i}u < params.outWidth) { ${store} }`;
  })
  .join('\n')}
}
`;
});

/** One filter per channel: an invocation computes a few neighbouring pixels of up to four channels. */
export const depthwiseConv2dWebGpu: WebGpuKernel<Conv2dInputs, { y: Slot }, Conv2dParams> = takingHalves(
  ['x', 'residual', 'y'],
  (inputs, { y }, { stride, padding, dilation, activation }, machine) => {
    if (sizeOf(y.shape) === 0) return [];
    const { x, weight } = inputs;
    const [, height, width, channels] = x.shape as [number, number, number, number];
    const [images, outHeight, outWidth] = y.shape as [number, number, number, number];
    const [, , kernelY, kernelX] = weight.shape as [number, number, number, number];
    const vectors = channels % 4 === 0;
    const lanes = vectors ? channels / 4 : channels;
    const run = chooseRun(outWidth, images * outHeight * lanes);
    const runs = Math.ceil(outWidth / run);
    const count = images * outHeight * runs * lanes;
    const epilogue = epilogueShape(inputs, activation, machine);
    const filters = packedWeight(
      weight,
      { matrices: 1, columns: channels, channels: 1, taps: kernelY * kernelX, half: false },
      machine,
    );
    const filterLanes = Math.ceil(channels / 4) * (vectors ? 1 : 4);
    const geometry = { kernel: [kernelY, kernelX], stride, padding, dilation } as const;
    return [
      {
        shader: depthwiseShader({
          ...{ lanes: vectors ? 'vec4<f32>' : 'f32', from: encodingOf(x, machine), to: encodingOf(y, machine) },
          ...{ run, ...geometry, epilogue },
        }),
        bindings: [read(x), read(filters), ...epilogueBindings(inputs), write(y)],
        uniforms: uniforms.words({ count, runs, lanes, filterLanes, height, width, outHeight, outWidth }),
        workgroups: linearGrid(Math.ceil(count / invocations), machine),
      },
    ];
  },
);
