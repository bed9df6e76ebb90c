import { encodingOfStorage, floatBuffer, type FloatEncoding } from '../floats.wgsl.js';
import { defineShader, read, write, type WebGpuMachine, type WebGpuResource, type WebGpuStep } from '../program.js';
import { flatGrid, flatMain, storage, uniformBlock } from '../wgsl.js';

const uniforms = uniformBlock({ count: 'u32' });

interface ConvertShape {
  readonly from: FloatEncoding;
  readonly to: FloatEncoding;
}

/** Buffers are padded, so that the last four elements need no care. */
const convertShader = defineShader('convertStorage', ({ from, to }: ConvertShape) => {
  const x = floatBuffer('read', 'x', 'vec4<f32>', from);
  const y = floatBuffer('read_write', 'y', 'vec4<f32>', to);
  return `${storage(x.declaration, y.declaration)}
${uniforms.wgsl}
${flatMain}
  ${y.store('i', x.load('i'))}
}`;
});

/**
 * Copies floats to where they are stored in the other way.
 *
 * @param size elements, at least one. @param to how they are stored there.
 */
export function convertStorage(
  x: WebGpuResource,
  y: WebGpuResource,
  size: number,
  to: 'f32' | 'f16',
  machine: WebGpuMachine,
): WebGpuStep {
  const count = Math.ceil(size / 4);
  const from = to === 'f16' ? 'f32' : 'f16';
  return {
    shader: convertShader({ from: encodingOfStorage(from, machine.f16), to: encodingOfStorage(to, machine.f16) }),
    bindings: [read(x), write(y)],
    uniforms: uniforms.words({ count }),
    workgroups: flatGrid(count, machine),
  };
}
