/** What the tests of GPU kernels share: a machine without a GPU, and a look into their programs. */
import { expect } from 'vitest';
import type { DType } from '../src/dtype.js';
import type { Shape } from '../src/shape.js';
import type {
  WebGpuMachine,
  WebGpuOperand,
  WebGpuPrepared,
  WebGpuResource,
  WebGpuStep,
} from '../src/backends/webgpu/program.js';

/** WebGPU's default limits: what every device has. */
export const webGpuTestMachine: WebGpuMachine = {
  f16: false,
  weightStorage: 'f32',
  subgroups: false,
  minSubgroupSize: 0,
  maxSubgroupSize: 0,
  maxBindingBytes: 2 ** 27,
  maxStorageBuffers: 8,
  maxWorkgroupBytes: 16384,
  maxInvocations: 256,
  maxWorkgroupsPerDimension: 65535,
  vendor: '',
  architecture: '',
};

export function operand(shape: Shape, dtype: DType = 'f32'): WebGpuOperand {
  return { kind: 'operand', shape, dtype };
}

/** The steps of a program, with those that prepare its operands before them. */
export function allSteps(steps: readonly WebGpuStep[]): WebGpuStep[] {
  return steps.flatMap((step) => [
    ...step.bindings
      .map(({ resource }) => resource)
      .filter((resource): resource is WebGpuPrepared => resource.kind === 'prepared')
      .flatMap((prepared) => allSteps(prepared.fill({ kind: 'target' }))),
    step,
  ]);
}

/** What WebGPU would refuse, as far as it shows without a GPU. */
export function expectValidProgram(steps: readonly WebGpuStep[], machine: WebGpuMachine = webGpuTestMachine): void {
  for (const { shader, bindings, uniforms, workgroups } of allSteps(steps)) {
    const declared = [...shader.code.matchAll(/@group\(0\) @binding\((\d+)\) var<storage, (\w+)> \w+/g)];
    expect(
      declared.map(([, number, access]) => [Number(number), access]),
      shader.name,
    ).toEqual(bindings.map(({ access }, i) => [i, access]));
    expect(bindings.length).toBeLessThanOrEqual(machine.maxStorageBuffers);
    const members = /struct Params \{\n([^}]*)\}/.exec(shader.code)?.[1]?.trim().split('\n').length ?? 0;
    expect(uniforms?.length ?? 0, `uniform words of ${shader.name}`).toBe(members);
    expect(uniforms?.every((word) => Number.isInteger(word) && word >= 0 && word < 2 ** 32) ?? true).toBe(true);
    for (const n of workgroups) {
      expect(Number.isInteger(n) && n >= 1 && n <= machine.maxWorkgroupsPerDimension, `grid of ${shader.name}`).toBe(
        true,
      );
    }
    const written = new Set<WebGpuResource>();
    for (const { access, resource } of bindings) if (access === 'read_write') written.add(resource);
    for (const { access, resource } of bindings) if (access === 'read') expect(written.has(resource)).toBe(false);
    const size = /@workgroup_size\(([^)]*)\)/.exec(shader.code)?.[1]?.split(',').map(Number) ?? [];
    expect(size.reduce((a, b) => a * b, 1)).toBeLessThanOrEqual(machine.maxInvocations);
  }
}

/** A program in words, for snapshots. */
export function describeProgram(steps: readonly WebGpuStep[]): string {
  return steps
    .map(
      ({ shader, bindings, uniforms, workgroups }) =>
        `// ${shader.name}: ${workgroups.join(' × ')} workgroups, ${bindings.map(({ access, resource }) => `${access} ${resource.kind}`).join(', ')}\n` +
        `// uniforms: ${uniforms?.join(', ') ?? 'none'}\n${shader.code}`,
    )
    .join('\n\n');
}
