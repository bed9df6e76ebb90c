/** Pieces of WGSL that the shaders share: declarations of what a step binds, and places in a grid. */
import { linearGrid, type WebGpuMachine, type WorkgroupGrid } from './program.js';

/**
 * A storage buffer as a shader declares it, with what its accesses need in WGSL: functions, and features to enable. `false`,
 * `null` and `undefined` stand for one that is left out.
 */
export type StorageDeclaration =
  | readonly [access: 'read' | 'read_write', name: string, type: string, needs?: readonly string[]]
  | false
  | null
  | undefined;

/** Declares the buffers of a step in the order of its bindings. A shader begins with it, since features come first. */
export function storage(...buffers: readonly StorageDeclaration[]): string {
  const present = buffers.filter((buffer) => Array.isArray(buffer));
  const needs = [...new Set(present.flatMap(([, , , needed = []]) => needed))];
  const isFeature = (text: string): boolean => text.startsWith('enable ');
  const declarations = present.map(
    ([access, name, type], i) => `@group(0) @binding(${i}) var<storage, ${access}> ${name}: ${type};`,
  );
  return [...needs.filter(isFeature), ...declarations, ...needs.filter((text) => !isFeature(text))].join('\n');
}

export type UniformType = 'u32' | 'i32' | 'f32';

/** A step's uniform words by name, and their declaration in WGSL, which cannot go apart. */
export interface UniformBlock<F extends Readonly<Record<string, UniformType>>> {
  /** `struct Params {…}` and `var<uniform> params: Params`. */
  readonly wgsl: string;
  /** The words of a step. */
  words(values: { readonly [K in keyof F]: number }): number[];
}

const floatView = new Float32Array(1);
const bitsView = new Uint32Array(floatView.buffer);

/** The bits of an f32. */
export function floatBits(value: number): number {
  floatView[0] = value;
  return bitsView[0]!;
}

/** Declares uniform words; WGSL reads them as `params.name`. */
export function uniformBlock<const F extends Readonly<Record<string, UniformType>>>(fields: F): UniformBlock<F> {
  const entries = Object.entries(fields);
  return {
    get wgsl() {
      const members = entries.map(([name, type]) => `  ${name}: ${type},`).join('\n');
      return `struct Params {\n${members}\n}\n@group(1) @binding(0) var<uniform> params: Params;`;
    },
    words: (values) => entries.map(([name, type]) => (type === 'f32' ? floatBits(values[name]!) : values[name]! >>> 0)),
  };
}

/** Parameters of `main` from which {@link linearWorkgroup} and {@link linearInvocation} are computed. */
export const linearBuiltins =
  '@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, ' +
  '@builtin(local_invocation_index) local: u32';

/** The number of the workgroup in a grid made by `linearGrid`. */
export const linearWorkgroup = '(group.y * groups.x + group.x)';

/** The number of the invocation in a grid made by `linearGrid` of workgroups of `size` invocations. */
export const linearInvocation = (size: number): string => `(${linearWorkgroup} * ${size}u + local)`;

/** Invocations of a workgroup where nothing is shared among them. */
export const flatGroup = 128;

/** The beginning of `main` with an invocation for each of `params.count` items, of which `i` is the number. */
export const flatMain = `@compute @workgroup_size(${flatGroup})
fn main(${linearBuiltins}) {
  let i = ${linearInvocation(flatGroup)};
  if (i >= params.count) {
    return;
  }`;

/** The grid of {@link flatMain}. */
export const flatGrid = (count: number, machine: WebGpuMachine): WorkgroupGrid =>
  linearGrid(Math.ceil(count / flatGroup), machine);
