import { sizeOf } from '../../../shape.js';
import { defineShader, read, write, type WebGpuMachine, type WebGpuOperand, type WebGpuStep } from '../program.js';
import { flatGrid, flatMain, storage, uniformBlock } from '../wgsl.js';

/** An expression over rows of channels. */
export interface Channelwise {
  /** Tensors `[…, C]`; `name[i]` in the expression. */
  readonly rows: Readonly<Record<string, WebGpuOperand>>;
  /** Tensors `[C]`; `name[c]` in the expression. */
  readonly channels: Readonly<Record<string, WebGpuOperand>>;
  readonly result: WebGpuOperand;
  /** WGSL for one element or four. */
  readonly expression: string;
}

interface ChannelwiseShape {
  readonly rows: readonly string[];
  readonly channels: readonly string[];
  readonly expression: string;
  readonly fours: boolean;
}

const uniforms = uniformBlock({ count: 'u32', channels: 'u32' });

const shader = defineShader('channelwise', ({ rows, channels, expression, fours }: ChannelwiseShape) => {
  const type = fours ? 'array<vec4<f32>>' : 'array<f32>';
  const inputs = [...rows, ...channels].map((name) => ['read', name, type] as const);
  return `${storage(...inputs, ['read_write', 'result', type])}
${uniforms.wgsl}
${flatMain}
  let c = i % params.channels;
  result[i] = ${expression};
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
  return [
    {
      shader: shader({ rows: Object.keys(rows), channels: Object.keys(channels), expression, fours }),
      bindings: [...inputs.map(read), write(result)],
      uniforms: uniforms.words({ count, channels: width / unit }),
      workgroups: flatGrid(count, machine),
    },
  ];
}
