import type { Slot } from '../../../../kernel.js';
import type { DepthwiseWeightInputs, DepthwiseWeightParams } from '../../../../ops/gradients/conv2d.js';
import { sizeOf } from '../../../../shape.js';
import { defineShader, gpuScratch, read, write, type WebGpuKernel } from '../../program.js';
import { flatGrid, flatMain, storage, uniformBlock } from '../../wgsl.js';
import { unitOf, vectorOf, type Image, type Unit } from '../images.js';
import { reduce } from '../reduce.js';

/** Invocations that keep a large GPU busy. */
const busy = 32768;

interface DepthwiseShape extends DepthwiseWeightParams {
  readonly unit: Unit;
  readonly kernel: readonly [number, number];
}

const uniforms = uniformBlock({
  ...{ count: 'u32', lanes: 'u32', rows: 'u32', part: 'u32' },
  ...{ height: 'u32', width: 'u32', outHeight: 'u32', outWidth: 'u32' },
});

/**
 * An invocation adds up one row of the filters of its channels over a part of the output's rows: what it reads of gy serves
 * for all taps of the row. Sums are `[parts][channel][tap]`.
 */
const shader = defineShader(
  'depthwiseWeightGradient',
  ({ unit, kernel: [kernelY, kernelX], stride, padding, dilation }: DepthwiseShape) => {
    const type = vectorOf(unit);
    const taps = Array.from({ length: kernelX }, (_, i) => i);
    const lanes = unit === 1 ? [''] : ['.x', '.y', '.z', '.w'].slice(0, unit);
    return `${storage(
      ['read', 'x', `array<${type}>`],
      ['read', 'gy', `array<${type}>`],
      ['read_write', 'sums', 'array<f32>'],
    )}
${uniforms.wgsl}
${flatMain}
  let lane = i % params.lanes;
  let tapY = i / params.lanes % ${kernelY}u;
  let part = i / params.lanes / ${kernelY}u;
${taps.map((tap) => `  var sum${tap} = ${type}(0.0);`).join('\n')}
  for (var row = part * params.part; row < min((part + 1u) * params.part, params.rows); row++) {
    let y = i32(row % params.outHeight) * ${stride[0]} - ${padding[0]} + i32(tapY) * ${dilation[0]};
    if (u32(y) >= params.height) { continue; }
    let line = (row / params.outHeight * params.height + u32(y)) * params.width;
${taps.map((tap) => `    var run${tap} = ${type}(0.0);`).join('\n')}
    for (var column = 0u; column < params.outWidth; column++) {
      let gradient = gy[(row * params.outWidth + column) * params.lanes + lane];
      let first = i32(column) * ${stride[1]} - ${padding[1]};
${taps
  .map(
    (tap) => `      {
        let at = u32(first + ${tap * dilation[1]});
        if (at < params.width) { run${tap} = fma(gradient, x[(line + at) * params.lanes + lane], run${tap}); }
      }`,
  )
  .join('\n')}
    }
${taps.map((tap) => `    sum${tap} += run${tap};`).join('\n')}
  }
  let to = ((part * params.lanes + lane) * ${unit * kernelY}u + tapY) * ${kernelX}u;
${taps
  .flatMap((tap) => lanes.map((lane, k) => `  sums[to + ${k * kernelY * kernelX + tap}u] = sum${tap}${lane};`))
  .join('\n')}
}`;
  },
);

export const depthwiseConv2dWeightGradientWebGpu: WebGpuKernel<
  DepthwiseWeightInputs,
  { gw: Slot },
  DepthwiseWeightParams
> = ({ x, gy }, { gw }, { stride, padding, dilation }, machine) => {
  const size = sizeOf(gw.shape);
  if (size === 0) return [];
  const [, height, width, channels] = x.shape as Image;
  const [images, outHeight, outWidth] = gy.shape as Image;
  const [, , kernelY, kernelX] = gw.shape as Image;
  const unit = unitOf(channels);
  const lanes = channels / unit;
  const rows = images * outHeight;
  const wanted = Math.max(1, Math.ceil(busy / (lanes * kernelY)));
  const part = Math.max(1, Math.ceil(rows / wanted));
  const parts = Math.max(1, Math.ceil(rows / part));
  const count = parts * kernelY * lanes;
  const sums = parts === 1 ? gw : gpuScratch(parts * size * 4);
  const step = {
    shader: shader({ unit, kernel: [kernelY, kernelX], stride, padding, dilation }),
    bindings: [read(x), read(gy), write(sums)],
    uniforms: uniforms.words({ count, lanes, rows, part, height, width, outHeight, outWidth }),
    workgroups: flatGrid(count, machine),
  };
  const join = { join: 'sum', outer: 1, length: parts, inner: size, divisor: 1 } as const;
  return parts === 1 ? [step] : [step, ...reduce(sums, gw, join, machine)];
};
