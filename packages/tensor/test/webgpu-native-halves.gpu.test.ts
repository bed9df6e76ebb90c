/**
 * Halves as WGSL's own type. Few machines that run tests have a GPU with `shader-f16`, so every shader is compiled and
 * validated by Dawn's null backend, which has the feature and runs nothing.
 */
import { afterAll, expect, test } from 'vitest';
import { unaryWebGpu } from '../src/backends/webgpu/kernels/elementwise.js';
import { createDevice } from '../src/create-device.js';
import { scope } from '../src/scope.js';
import type { Tensor } from '../src/tensor.js';
import { asHalves, nullGpu } from '../src/testing/index.js';
import { halvesCases } from './halves-cases.js';
import { operand, webGpuTestMachine } from './webgpu-support.js';
import { random } from './support.js';

const device = await createDevice('webgpu', {
  ...{ gpu: await nullGpu(), activationStorage: 'f16', weightStorage: 'f16' },
});
afterAll(() => device.dispose());

test('shaders that see halves enable the feature first; others do without it', () => {
  const machine = { ...webGpuTestMachine, f16: true };
  const halves = { ...operand([8]), storage: 'f16' } as const;
  const codeOf = (x: typeof halves | ReturnType<typeof operand>): string =>
    unaryWebGpu({ x }, { y: x }, { fn: 'gelu' }, machine)[0]!.shader.code;
  expect(codeOf(halves)).toMatch(/^enable f16;\n/);
  expect(codeOf(halves)).toContain('array<vec4<f16>>');
  expect(codeOf(operand([8]))).not.toContain('f16');
});

test.for(Object.entries(halvesCases))('%s: valid with shader-f16', async ([, { halves, floats = {}, body }]) => {
  expect(device.selection).toContain('(f16');
  scope(() => {
    const upload = (shape: readonly number[]): Tensor => device.tensor(random(shape).data, shape);
    const operands = [
      ...Object.entries(halves).map(([name, shape]) => [name, asHalves(upload(shape))] as const),
      ...Object.entries(floats).map(([name, shape]) => [name, upload(shape)] as const),
    ];
    body(Object.fromEntries(operands));
  });
  await device.finish();
});
