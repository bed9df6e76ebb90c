import type { Slot } from '../../../../kernel.js';
import type { PyramidTapInputs } from '../../../../ops/gradients/conv2d-pyramid.js';
import { sizeOf } from '../../../../shape.js';
import { defineShader, gpuScratch, read, write, type WebGpuKernel } from '../../program.js';
import { flatGrid, flatMain, storage, uniformBlock } from '../../wgsl.js';
import { unitOf, vectorOf, type Image, type Unit } from '../images.js';
import { checkSides } from '../resize.js';
import { readersWgsl } from './spatial.js';

/** gy is `[outer, repeats, output, inner]`, the result `[outer, input, repeats, 3, inner]`. */
const axisUniforms = uniformBlock({ count: 'u32', inner: 'u32', input: 'u32', output: 'u32', repeats: 'u32' });

/** The adjoint of a resize along one axis, of gy moved by one place back, not at all, and forth. */
const axisShader = defineShader('pyramidTapAxis', ({ unit }: { readonly unit: Unit }) => {
  const type = vectorOf(unit);
  return `${storage(['read', 'gy', `array<${type}>`], ['read_write', 'taps', `array<${type}>`])}
${axisUniforms.wgsl}
${readersWgsl}
${flatMain}
  let inner = i % params.inner;
  let line = i / params.inner;
  let repeat = line % params.repeats;
  let place = line / params.repeats % params.input;
  let outer = line / params.repeats / params.input;
  let readers = readersOf(place, params.input, params.output);
  let first = (outer * params.repeats + repeat) * params.output * params.inner + inner;
  var back = ${type}(0.0);
  var still = ${type}(0.0);
  var forth = ${type}(0.0);
  for (var start = readers.x; start < readers.y; start += 16u) {
    var backRun = ${type}(0.0);
    var stillRun = ${type}(0.0);
    var forthRun = ${type}(0.0);
    for (var o = start; o < min(start + 16u, readers.y); o++) {
      let weight = readerWeight(o, place, params.input, params.output);
      let at = first + o * params.inner;
      if (o + 1u < params.output) { backRun += weight * gy[at + params.inner]; }
      stillRun += weight * gy[at];
      if (o > 0u) { forthRun += weight * gy[at - params.inner]; }
    }
    back += backRun;
    still += stillRun;
    forth += forthRun;
  }
  let to = line * 3u * params.inner + inner;
  taps[to] = back;
  taps[to + params.inner] = still;
  taps[to + 2u * params.inner] = forth;
}`;
});

/** Rows first: three maps of less height, of which each becomes three of less width. */
export const pyramidTapGradientWebGpu: WebGpuKernel<PyramidTapInputs, { gp: Slot }, object> = (
  { gy },
  { gp },
  _params,
  machine,
) => {
  if (sizeOf(gp.shape) === 0) return [];
  const [n, ho, wo, c] = gy.shape as Image;
  const [, h, w] = gp.shape as readonly number[] as Image;
  checkSides([h, ho], [w, wo]);
  const unit = unitOf(c);
  const between = gpuScratch(n * h * 3 * wo * c * 4);
  const rows = { count: (n * h * wo * c) / unit, inner: (wo * c) / unit, input: h, output: ho, repeats: 1 };
  const columns = { count: (n * h * w * 3 * c) / unit, inner: c / unit, input: w, output: wo, repeats: 3 };
  const shader = axisShader({ unit });
  return [
    {
      shader,
      bindings: [read(gy), write(between)],
      uniforms: axisUniforms.words(rows),
      workgroups: flatGrid(rows.count, machine),
    },
    {
      shader,
      bindings: [read(between), write(gp)],
      uniforms: axisUniforms.words(columns),
      workgroups: flatGrid(columns.count, machine),
    },
  ];
};
