import type { DType } from '../../../../dtype.js';
import type { Slot } from '../../../../kernel.js';
import type {
  CrossEntropyGradientInputs,
  CrossEntropyInputs,
  CrossEntropyOutputs,
  CrossEntropyParams,
} from '../../../../ops/gradients/cross-entropy.js';
import { sizeOf } from '../../../../shape.js';
import { defineShader, linearGrid, read, write, type WebGpuKernel } from '../../program.js';
import { linearBuiltins, storage, uniformBlock } from '../../wgsl.js';
import { logWgsl } from '../functions.wgsl.js';
import { joinLanes, laneGroup, laneIndices, lanesFor, rowsPerGroup } from '../lanes.wgsl.js';
import { argmaxKeyWgsl } from '../lines.js';

const uniforms = uniformBlock({ rows: 'u32', channels: 'u32', ignored: 'i32' });

interface RowsShape {
  readonly lanes: number;
  readonly labels: DType;
}

/** How labels are declared; bytes lie four to a word. */
export const labelElements = (labels: DType): string => (labels === 'u8' ? 'array<u32>' : 'array<i32>');

/** `fn labelAt`. */
export const labelWgsl = (labels: DType): string => `fn labelAt(i: u32) -> i32 {
  return ${labels === 'u8' ? 'i32((labels[i / 4u] >> (8u * (i % 4u))) & 0xffu)' : 'labels[i]'};
}
fn notANumber() -> f32 {
  // Bits that the compiler does not know: constants must not be NaN.
  var nan = 0x7fc00000u;
  return bitcast<f32>(nan);
}`;

const crossEntropyShader = defineShader(
  'crossEntropy',
  ({ lanes, labels }: RowsShape) => `${storage(
    ['read', 'x', 'array<f32>'],
    ['read', 'labels', labelElements(labels)],
    ['read_write', 'loss', 'array<f32>'],
    ['read_write', 'correct', 'array<f32>'],
  )}
${uniforms.wgsl}
${labelWgsl(labels)}
${logWgsl('f32')}
${argmaxKeyWgsl}
${joinLanes('best', 'vec2<u32>', lanes, 'select(a, b, b.x > a.x || (b.x == a.x && b.y < a.y))')}
${joinLanes('sum', 'f32', lanes, 'a + b')}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
${laneIndices(lanes)}
  let first = row * params.channels;
  var own = vec2<u32>(0u, 0xffffffffu);
  for (var k = lane; k < params.channels; k += ${lanes}u) {
    let key = keyOf(x[first + k], k);
    if (key > own.x || own.y == 0xffffffffu) {
      own = vec2<u32>(key, k);
    }
  }
  let index = best(own, local).y;
  let largest = x[first + index];
  var total = 0.0;
  for (var k = lane; k < params.channels; k += ${lanes}u) {
    total += exp(x[first + k] - largest);
  }
  total = sum(total, local);
  if (lane > 0u || place >= params.rows) {
    return;
  }
  let label = labelAt(row);
  if (label == params.ignored) {
    loss[row] = 0.0;
    correct[row] = 0.0;
  } else if (u32(label) >= params.channels) {
    loss[row] = notANumber();
    correct[row] = 0.0;
  } else {
    loss[row] = largest - x[first + u32(label)] + logOf(total);
    correct[row] = select(0.0, 1.0, index == u32(label));
  }
}`,
);

export const crossEntropyWebGpu: WebGpuKernel<CrossEntropyInputs, CrossEntropyOutputs, CrossEntropyParams> = (
  { x, labels },
  { loss, correct },
  { ignoreIndex },
  machine,
) => {
  const rows = sizeOf(labels.shape);
  const channels = x.shape.at(-1)!;
  if (rows * channels === 0) return [];
  const lanes = lanesFor(channels);
  return [
    {
      shader: crossEntropyShader({ lanes, labels: labels.dtype }),
      bindings: [read(x), read(labels), write(loss), write(correct)],
      uniforms: uniforms.words({ rows, channels, ignored: ignoreIndex }),
      workgroups: linearGrid(Math.ceil(rows / rowsPerGroup(lanes)), machine),
    },
  ];
};

const crossEntropyGradientShader = defineShader(
  'crossEntropyGradient',
  ({ lanes, labels }: RowsShape) => `${storage(
    ['read', 'x', 'array<f32>'],
    ['read', 'labels', labelElements(labels)],
    ['read', 'scale', 'array<f32>'],
    ['read_write', 'gx', 'array<f32>'],
  )}
${uniforms.wgsl}
${labelWgsl(labels)}
${joinLanes('largest', 'f32', lanes, 'max(a, b)')}
${joinLanes('sum', 'f32', lanes, 'a + b')}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
${laneIndices(lanes)}
  let first = row * params.channels;
  var top = x[first];
  for (var k = lane; k < params.channels; k += ${lanes}u) {
    top = max(top, x[first + k]);
  }
  top = largest(top, local);
  var total = 0.0;
  for (var k = lane; k < params.channels; k += ${lanes}u) {
    total += exp(x[first + k] - top);
  }
  total = sum(total, local);
  if (place >= params.rows) {
    return;
  }
  let label = labelAt(row);
  let ignored = label == params.ignored;
  var factor = scale[0];
  if (u32(label) >= params.channels) {
    factor = notANumber();
  }
  for (var k = lane; k < params.channels; k += ${lanes}u) {
    let hit = select(0.0, 1.0, k == u32(label));
    gx[first + k] = select(factor * (exp(x[first + k] - top) / total - hit), 0.0, ignored);
  }
}`,
);

export const crossEntropyGradientWebGpu: WebGpuKernel<CrossEntropyGradientInputs, { gx: Slot }, CrossEntropyParams> = (
  { x, labels, scale },
  { gx },
  { ignoreIndex },
  machine,
) => {
  const rows = sizeOf(labels.shape);
  const channels = x.shape.at(-1)!;
  if (rows * channels === 0) return [];
  const lanes = lanesFor(channels);
  return [
    {
      shader: crossEntropyGradientShader({ lanes, labels: labels.dtype }),
      bindings: [read(x), read(labels), read(scale), write(gx)],
      uniforms: uniforms.words({ rows, channels, ignored: ignoreIndex }),
      workgroups: linearGrid(Math.ceil(rows / rowsPerGroup(lanes)), machine),
    },
  ];
};
