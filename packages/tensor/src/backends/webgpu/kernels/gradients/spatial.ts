import type { Slot } from '../../../../kernel.js';
import { sizeOf } from '../../../../shape.js';
import {
  defineShader,
  gpuScratch,
  read,
  write,
  type WebGpuKernel,
  type WebGpuMachine,
  type WebGpuResource,
  type WebGpuStep,
} from '../../program.js';
import { flatGrid, flatMain, storage, uniformBlock } from '../../wgsl.js';
import { unitOf, vectorOf, type Image, type Unit } from '../images.js';
import { checkSides, sampleWgsl } from '../resize.js';

/**
 * `fn readersOf`: the range of output positions that may read input position `i` of a resize, and `fn readerWeight`: with
 * which weight one of them does, often 0 at the ends of the range. Exact, as positions are fractions of integers.
 */
export const readersWgsl = `${sampleWgsl}
fn readersOf(i: u32, input: u32, output: u32) -> vec2<u32> {
  let before = (2u * max(i, 1u) - 1u) * output;
  let after = (2u * i + 3u) * output;
  let first = select(0u, (before - input) / (2u * input), i > 0u && before > input);
  let end = select(0u, (after - input) / (2u * input) + 1u, after > input);
  return vec2<u32>(first, select(min(end, output), output, i == input - 1u));
}
fn readerWeight(o: u32, i: u32, input: u32, output: u32) -> f32 {
  let s = sample(o, input, output);
  return select(0.0, 1.0 - s.weight, s.low == i) + select(0.0, s.weight, s.high == i);
}`;

/** gy is `[outer, repeats, output, inner]`, gx `[outer, input, repeats, moves, inner]`. */
const axisUniforms = uniformBlock({ count: 'u32', inner: 'u32', input: 'u32', output: 'u32', repeats: 'u32' });

/** Places that a reader's gradient may come from, beside its own. */
type Move = -1 | 0 | 1;

const moved: Readonly<Record<Move, { readonly exists: string; readonly at: string }>> = {
  [-1]: { exists: 'if (o > 0u) ', at: 'at - params.inner' },
  0: { exists: '', at: 'at' },
  1: { exists: 'if (o + 1u < params.output) ', at: 'at + params.inner' },
};

interface AxisShape {
  readonly unit: Unit;
  readonly moves: readonly Move[];
}

const axisShader = defineShader('resizeGradient', ({ unit, moves }: AxisShape) => {
  const type = vectorOf(unit);
  const each = (line: (move: Move, i: number) => string): string => moves.map(line).join('\n');
  return `${storage(['read', 'gy', `array<${type}>`], ['read_write', 'gx', `array<${type}>`])}
${axisUniforms.wgsl}
${readersWgsl}
${flatMain}
  let inner = i % params.inner;
  let line = i / params.inner;
  let place = line / params.repeats % params.input;
  let outer = line / params.repeats / params.input;
  let readers = readersOf(place, params.input, params.output);
  let first = (outer * params.repeats + line % params.repeats) * params.output * params.inner + inner;
${each((_, k) => `  var total${k} = ${type}(0.0);`)}
  for (var start = readers.x; start < readers.y; start += 16u) {
${each((_, k) => `    var run${k} = ${type}(0.0);`)}
    for (var o = start; o < min(start + 16u, readers.y); o++) {
      let weight = readerWeight(o, place, params.input, params.output);
      let at = first + o * params.inner;
${each((move, k) => `      ${moved[move].exists}{ run${k} += weight * gy[${moved[move].at}]; }`)}
    }
${each((_, k) => `    total${k} += run${k};`)}
  }
${each((_, k) => `  gx[(line * ${moves.length}u + ${k}u) * params.inner + inner] = total${k};`)}
}`;
});

interface Axis {
  readonly outer: number;
  readonly input: number;
  readonly output: number;
  readonly inner: number;
  /** Default: 1. */
  readonly repeats?: number;
  /** A result for each: the gradient of the reader itself, or of the one before or after it. Default: itself. */
  readonly moves?: readonly Move[];
}

/** The adjoint of a resize along one axis. */
export function axisStep(
  gy: WebGpuResource,
  gx: WebGpuResource,
  { outer, input, output, inner, repeats = 1, moves = [0] }: Axis,
  machine: WebGpuMachine,
): WebGpuStep {
  const unit = unitOf(inner);
  const count = (outer * repeats * input * inner) / unit;
  return {
    shader: axisShader({ unit, moves }),
    bindings: [read(gy), write(gx)],
    uniforms: axisUniforms.words({ count, inner: inner / unit, input, output, repeats }),
    workgroups: flatGrid(count, machine),
  };
}

/** One axis after the other, in the order that makes the map between them the smaller one. */
export const resizeBilinearGradientWebGpu: WebGpuKernel<{ gy: Slot }, { gx: Slot }, object> = (
  { gy },
  { gx },
  _params,
  machine,
) => {
  if (sizeOf(gx.shape) === 0) return [];
  const [n, h, w, c] = gx.shape as Image;
  const [, ho, wo] = gy.shape as Image;
  checkSides([h, ho], [w, wo]);
  if (h === ho) return [axisStep(gy, gx, { outer: n * h, input: w, output: wo, inner: c }, machine)];
  if (w === wo) return [axisStep(gy, gx, { outer: n, input: h, output: ho, inner: w * c }, machine)];
  const between = gpuScratch(n * Math.min(h * wo, ho * w) * c * 4);
  if (h * wo <= ho * w) {
    return [
      axisStep(gy, between, { outer: n, input: h, output: ho, inner: wo * c }, machine),
      axisStep(between, gx, { outer: n * h, input: w, output: wo, inner: c }, machine),
    ];
  }
  return [
    axisStep(gy, between, { outer: n * ho, input: w, output: wo, inner: c }, machine),
    axisStep(between, gx, { outer: n, input: h, output: ho, inner: w * c }, machine),
  ];
};

const poolUniforms = uniformBlock({
  ...{ count: 'u32', height: 'u32', width: 'u32', channels: 'u32', outHeight: 'u32', outWidth: 'u32' },
});

const poolShader = defineShader('adaptiveAvgPool2dGradient', ({ unit }: { readonly unit: Unit }) => {
  const type = vectorOf(unit);
  return `${storage(['read', 'gy', `array<${type}>`], ['read_write', 'gx', `array<${type}>`])}
${poolUniforms.wgsl}
fn extent(i: u32, size: u32, windows: u32) -> u32 {
  return ((i + 1u) * size + windows - 1u) / windows - i * size / windows;
}
${flatMain}
  let c = i % params.channels;
  let pixel = i / params.channels;
  let x = pixel % params.width;
  let line = pixel / params.width;
  let y = line % params.height;
  let image = line / params.height * params.outHeight;
  let bottom = ((y + 1u) * params.outHeight + params.height - 1u) / params.height;
  let right = ((x + 1u) * params.outWidth + params.width - 1u) / params.width;
  var total = ${type}(0.0);
  for (var oy = y * params.outHeight / params.height; oy < bottom; oy++) {
    let tall = extent(oy, params.height, params.outHeight);
    for (var ox = x * params.outWidth / params.width; ox < right; ox++) {
      let area = tall * extent(ox, params.width, params.outWidth);
      total += gy[((image + oy) * params.outWidth + ox) * params.channels + c] / f32(area);
    }
  }
  gx[i] = total;
}`;
});

export const adaptiveAvgPool2dGradientWebGpu: WebGpuKernel<{ gy: Slot }, { gx: Slot }, object> = (
  { gy },
  { gx },
  _params,
  machine,
) => {
  if (sizeOf(gx.shape) === 0) return [];
  const [, height, width, c] = gx.shape as Image;
  const [, outHeight, outWidth] = gy.shape as Image;
  const unit = unitOf(c);
  const count = sizeOf(gx.shape) / unit;
  return [
    {
      shader: poolShader({ unit }),
      bindings: [read(gy), write(gx)],
      uniforms: poolUniforms.words({ count, height, width, channels: c / unit, outHeight, outWidth }),
      workgroups: flatGrid(count, machine),
    },
  ];
};
