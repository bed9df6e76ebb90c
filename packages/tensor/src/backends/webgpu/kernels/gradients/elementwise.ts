import type { Slot } from '../../../../kernel.js';
import type { AdamWInputs, AdamWOutputs, AdamWParams } from '../../../../ops/gradients/adamw.js';
import type { UnaryGradientInputs, UnaryGradientParams } from '../../../../ops/gradients/elementwise.js';
import type { UnaryFunction } from '../../../../ops/elementwise.js';
import { sizeOf } from '../../../../shape.js';
import { defineShader, read, write, type WebGpuKernel } from '../../program.js';
import { flatGrid, flatMain, storage, uniformBlock } from '../../wgsl.js';
import { expWgsl, geluCoefficients, horner, isNanWgsl } from '../functions.wgsl.js';

const type = 'vec4<f32>';
const exponential = `${isNanWgsl(type)}\n${expWgsl(type)}\n`;

/** Declares `e = e^−|x|`, which cannot overflow. */
const tail = 'let e = expOf(-abs(x));';

/** What `fn derive` needs before it, and its body. */
const derivatives: Readonly<Record<UnaryFunction, { readonly needs?: string; readonly body: string }>> = {
  relu: { body: `return select(gy, ${type}(0.0), x <= ${type}(0.0));` },
  // `Φ(x) + x · φ(x)`; beyond 16 both have long been settled.
  gelu: {
    needs: exponential,
    body: `let bounded = clamp(x, ${type}(-16.0), ${type}(16.0));
  let a = abs(bounded);
  ${horner(type, 'a', geluCoefficients)}
  q *= q;
  q *= q;
  q *= q;
  let below = 1.0 / q;
  let density = expOf(a * a * -0.5) * 0.3989422804;
  return gy * fma(bounded, density, select(1.0 - below, below, x < ${type}(0.0)));`,
  },
  silu: {
    needs: exponential,
    body: `${tail}
  let large = 1.0 / (1.0 + e);
  let small = e * large;
  let negative = x < ${type}(0.0);
  return gy * select(large, small, negative) * (1.0 + x * select(small, large, negative));`,
  },
  sigmoid: { needs: exponential, body: `${tail}\n  return gy * e / ((1.0 + e) * (1.0 + e));` },
  exp: { needs: exponential, body: 'return gy * expOf(x);' },
  log: { body: 'return gy / x;' },
  sqrt: { body: 'return 0.5 * gy / sqrt(x);' },
  abs: { body: 'return gy * sign(x);' },
  neg: { body: 'return -gy;' },
};

const counted = uniformBlock({ count: 'u32' });

const unaryGradientShader = defineShader('unaryGradient', ({ fn }: UnaryGradientParams) => {
  const { needs = '', body } = derivatives[fn];
  return `${storage(
    ['read', 'x', `array<${type}>`],
    ['read', 'gy', `array<${type}>`],
    ['read_write', 'gx', `array<${type}>`],
  )}
${counted.wgsl}
${needs}fn derive(x: ${type}, gy: ${type}) -> ${type} {
  ${body}
}
${flatMain}
  gx[i] = derive(x[i], gy[i]);
}`;
});

export const unaryGradientWebGpu: WebGpuKernel<UnaryGradientInputs, { gx: Slot }, UnaryGradientParams> = (
  { x, gy },
  { gx },
  { fn },
  machine,
) => {
  const count = Math.ceil(sizeOf(gx.shape) / 4);
  if (count === 0) return [];
  return [
    {
      shader: unaryGradientShader({ fn }),
      bindings: [read(x), read(gy), write(gx)],
      uniforms: counted.words({ count }),
      workgroups: flatGrid(count, machine),
    },
  ];
};

const adamWUniforms = uniformBlock({
  ...{ count: 'u32', decay: 'f32', beta1: 'f32', rest1: 'f32', beta2: 'f32', rest2: 'f32' },
  ...{ eps: 'f32', rate: 'f32', correction: 'f32' },
});

const adamWShader = defineShader('adamW', ({ scaled }: { readonly scaled: boolean }) => {
  return `${storage(
    ['read', 'gradient', `array<${type}>`],
    scaled && ['read', 'scale', 'array<f32>'],
    ['read_write', 'parameter', `array<${type}>`],
    ['read_write', 'mean', `array<${type}>`],
    ['read_write', 'variance', `array<${type}>`],
  )}
${adamWUniforms.wgsl}
${flatMain}
  let g = gradient[i]${scaled ? ' * scale[0]' : ''};
  let m = mean[i] * params.beta1 + g * params.rest1;
  let v = variance[i] * params.beta2 + g * g * params.rest2;
  mean[i] = m;
  variance[i] = v;
  parameter[i] = parameter[i] * params.decay - params.rate * (m / (sqrt(v) / params.correction + params.eps));
}`;
});

const adamWSteps: WebGpuKernel<AdamWInputs, AdamWOutputs, AdamWParams> = (
  { gradient, scale },
  { parameter, mean, variance },
  { beta1, beta2, ...constants },
  machine,
) => {
  const count = Math.ceil(sizeOf(parameter.shape) / 4);
  if (count === 0) return [];
  return [
    {
      shader: adamWShader({ scaled: !!scale }),
      bindings: [read(gradient), ...(scale ? [read(scale)] : []), write(parameter), write(mean), write(variance)],
      uniforms: adamWUniforms.words({ count, beta1, rest1: 1 - beta1, beta2, rest2: 1 - beta2, ...constants }),
      workgroups: flatGrid(count, machine),
    },
  ];
};

/** The parameters follow the number of the step. */
export const adamWWebGpu: typeof adamWSteps = Object.assign(adamWSteps, { changing: true });
