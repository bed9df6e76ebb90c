/** Weights in the layout of a matrix product's right operand: `[matrix][terms][columns]`, both padded to fours. */
import { defineShader, linearGrid, read, write, type WebGpuMachine, type WebGpuOperand } from '../program.js';
import type { WebGpuPrepared } from '../program.js';
import { linearBuiltins, linearInvocation, storage, uniformBlock } from '../wgsl.js';

/** PyTorch's layout of weights: `[matrix][columns][channel][tap]`. */
export interface WeightLayout {
  readonly matrices: number;
  readonly columns: number;
  readonly channels: number;
  readonly taps: number;
}

const invocations = 64;
const uniforms = uniformBlock({ n: 'u32', n4: 'u32', k: 'u32', k4: 'u32', channels: 'u32', taps: 'u32', count: 'u32' });

const packShader = defineShader(
  'packWeights',
  () => `${storage(['read', 'weight', 'array<f32>'], ['read_write', 'packed', 'array<vec4<f32>>'])}
${uniforms.wgsl}
fn weightAt(matrix: u32, column: u32, term: u32) -> f32 {
  if (column >= params.n || term >= params.k) { return 0.0; }
  let tap = term / params.channels;
  let channel = term % params.channels;
  return weight[((matrix * params.n + column) * params.channels + channel) * params.taps + tap];
}
@compute @workgroup_size(${invocations}) fn main(${linearBuiltins}) {
  let at = ${linearInvocation(invocations)};
  if (at >= params.count) { return; }
  let column = at % params.n4 * 4u;
  let row = at / params.n4;
  let term = row % (params.k4 * 4u);
  let matrix = row / (params.k4 * 4u);
  packed[at] = vec4<f32>(
    weightAt(matrix, column, term),
    weightAt(matrix, column + 1u, term),
    weightAt(matrix, column + 2u, term),
    weightAt(matrix, column + 3u, term),
  );
}
`,
);

/** Weights packed once and kept with them; the terms run tap by tap, then by channel. */
export function packedWeight(weight: WebGpuOperand, layout: WeightLayout, machine: WebGpuMachine): WebGpuPrepared {
  const { matrices, columns: n, channels, taps } = layout;
  const k = channels * taps;
  const [n4, k4] = [Math.ceil(n / 4), Math.ceil(k / 4)];
  const count = matrices * k4 * 4 * n4;
  return {
    kind: 'prepared',
    of: weight,
    key: `terms × columns, ${matrices}×${n}×${channels}×${taps}`,
    bytes: count * 16,
    fill: (target) =>
      count === 0
        ? []
        : [
            {
              shader: packShader({}),
              bindings: [read(weight), write(target)],
              uniforms: uniforms.words({ n, n4, k, k4, channels, taps, count }),
              workgroups: linearGrid(Math.ceil(count / invocations), machine),
            },
          ],
  };
}
