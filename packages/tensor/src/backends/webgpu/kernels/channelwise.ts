import { sizeOf } from '../../../shape.js';
import { encodingOf, floatBuffer, type FloatEncoding, type Lanes } from '../floats.wgsl.js';
import { defineShader, read, write, type WebGpuMachine, type WebGpuOperand, type WebGpuStep } from '../program.js';
import { flatGrid, flatMain, storage, uniformBlock } from '../wgsl.js';

/** An expression over rows of channels, where `nameHere` stands for an operand's element, or four of them. */
export interface Channelwise {
  /** Tensors `[…, C]`, stored either way. */
  readonly rows: Readonly<Record<string, WebGpuOperand>>;
  /** Tensors `[C]`. */
  readonly channels: Readonly<Record<string, WebGpuOperand>>;
  /** Halves only where C is a multiple of four. */
  readonly result: WebGpuOperand;
  /** WGSL for one element or four. */
  readonly expression: string;
}

interface ChannelwiseShape {
  readonly rows: readonly (readonly [name: string, encoding: FloatEncoding])[];
  readonly channels: readonly string[];
  readonly result: FloatEncoding;
  readonly expression: string;
  readonly fours: boolean;
}

const uniforms = uniformBlock({ count: 'u32', channels: 'u32' });

const shader = defineShader('channelwise', ({ rows, channels, result, expression, fours }: ChannelwiseShape) => {
  const lanes: Lanes = fours ? 'vec4<f32>' : 'f32';
  const operands = [
    ...rows.map(([name, encoding]) => ({ name, place: 'i', buffer: floatBuffer('read', name, lanes, encoding) })),
    ...channels.map((name) => ({ name, place: 'c', buffer: floatBuffer('read', name, lanes) })),
  ];
  const y = floatBuffer('read_write', 'result', lanes, result);
  return `${storage(...operands.map(({ buffer }) => buffer.declaration), y.declaration)}
${uniforms.wgsl}
${flatMain}
  let c = i % params.channels;
${operands.map(({ name, place, buffer }) => `  let ${name}Here = ${buffer.load(place)};`).join('\n')}
  ${y.store('i', expression)}
}`;
});

/** The steps of an expression over rows of channels: at most one. */
export function channelwise(
  { rows, channels, result, expression }: Channelwise,
  machine: WebGpuMachine,
): readonly WebGpuStep[] {
  const size = sizeOf(result.shape);
  if (size === 0) return [];
  const width = result.shape.at(-1)!;
  const fours = width % 4 === 0;
  const unit = fours ? 4 : 1;
  const count = size / unit;
  const inputs = [...Object.values(rows), ...Object.values(channels)];
  const shape: ChannelwiseShape = {
    rows: Object.entries(rows).map(([name, row]) => [name, encodingOf(row, machine)]),
    ...{ channels: Object.keys(channels), result: encodingOf(result, machine), expression, fours },
  };
  return [
    {
      shader: shader(shape),
      bindings: [...inputs.map(read), write(result)],
      uniforms: uniforms.words({ count, channels: width / unit }),
      workgroups: flatGrid(count, machine),
    },
  ];
}
