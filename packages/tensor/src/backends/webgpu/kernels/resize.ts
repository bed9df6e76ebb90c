import { LimitExceededError } from '../../../errors.js';
import type { Slot } from '../../../kernel.js';
import { sizeOf } from '../../../shape.js';
import { encodingOf, floatBuffer, type FloatEncoding } from '../floats.wgsl.js';
import { defineShader, read, takingHalves, write, type WebGpuKernel } from '../program.js';
import { flatGrid, flatMain, storage, uniformBlock } from '../wgsl.js';
import { unitOf, vectorOf, type Image, type Unit } from './images.js';

/**
 * `fn sample`: where output position `i` of a resize reads, as the two neighbours and the weight of the second. The position
 * `(i + ½) · in / out − ½` is kept as a fraction of integers, which is exact: in f32 the weight would lose the digits that
 * the place in front of it takes up.
 */
export const sampleWgsl = `struct Sample {
  low: u32,
  high: u32,
  weight: f32,
}
fn sample(i: u32, input: u32, output: u32) -> Sample {
  let numerator = (2u * i + 1u) * input;
  let position = select(0u, numerator - output, numerator > output);
  let low = min(position / (2u * output), input - 1u);
  let rest = position - low * 2u * output;
  return Sample(low, min(low + 1u, input - 1u), f32(rest) / f32(2u * output));
}`;

/** Refuses sizes whose product does not fit the integers of {@link sampleWgsl}. */
export function checkSides(...pairs: readonly (readonly [number, number])[]): void {
  for (const [input, output] of pairs) {
    const need = 2 * input * output;
    if (need >= 2 ** 32) {
      throw new LimitExceededError('32-bit integers', need, 2 ** 32 - 1, 'resize to a smaller image, or in two steps');
    }
  }
}

const resizeUniforms = uniformBlock({
  count: 'u32',
  height: 'u32',
  width: 'u32',
  channels: 'u32',
  outHeight: 'u32',
  outWidth: 'u32',
});

interface ResizeShape {
  readonly unit: Unit;
  readonly from: FloatEncoding;
  readonly to: FloatEncoding;
}

const resizeShader = defineShader('resizeBilinear', ({ unit, from, to }: ResizeShape) => {
  const type = vectorOf(unit);
  const x = floatBuffer('read', 'x', type, from);
  const y = floatBuffer('read_write', 'y', type, to);
  const corner = (row: string, column: string): string => x.load(`${row} * params.channels + ${column}`);
  return `${storage(x.declaration, y.declaration)}
${resizeUniforms.wgsl}
${sampleWgsl}
${flatMain}
  let c = i % params.channels;
  let pixel = i / params.channels;
  let line = pixel / params.outWidth;
  let rows = sample(line % params.outHeight, params.height, params.outHeight);
  let columns = sample(pixel % params.outWidth, params.width, params.outWidth);
  let image = line / params.outHeight * params.height;
  let top = (image + rows.low) * params.width;
  let bottom = (image + rows.high) * params.width;
  let left = columns.low * params.channels + c;
  let right = columns.high * params.channels + c;
  let upper = mix(${corner('top', 'left')}, ${corner('top', 'right')}, columns.weight);
  let lower = mix(${corner('bottom', 'left')}, ${corner('bottom', 'right')}, columns.weight);
  ${y.store('i', 'mix(upper, lower, rows.weight)')}
}`;
});

export const resizeBilinearWebGpu: WebGpuKernel<{ x: Slot }, { y: Slot }, object> = takingHalves(
  ['x', 'y'],
  ({ x }, { y }, _params, machine) => {
    const [, height, width, c] = x.shape as Image;
    const [, outHeight, outWidth] = y.shape as Image;
    checkSides([height, outHeight], [width, outWidth]);
    const unit = unitOf(c);
    const count = sizeOf(y.shape) / unit;
    return [
      {
        shader: resizeShader({ unit, from: encodingOf(x, machine), to: encodingOf(y, machine) }),
        bindings: [read(x), write(y)],
        uniforms: resizeUniforms.words({ count, height, width, channels: c / unit, outHeight, outWidth }),
        workgroups: flatGrid(count, machine),
      },
    ];
  },
);
