/**
 * How shaders read and write the elements of f32 tensors, which lie in memory as they are or as halves. Shaders compute with
 * f32 in any case; no other module writes the code of either form.
 *
 * A value beyond ±65504, the largest half, is stored as that: no infinity comes out of a finite sum. NaNs stay NaNs. Which
 * of the two nearest halves a value becomes is the GPU's choice; most take the nearest.
 */
import { IIError } from '../../errors.js';
import type { WebGpuMachine, WebGpuResource } from './program.js';

/** What a shader computes with: single elements, or two or four at a time. */
export type Lanes = 'f32' | 'vec2<f32>' | 'vec4<f32>';

/**
 * How floats lie in memory: as they are, as halves, or as halves that a shader unpacks from words, which needs no feature
 * of the device. The bytes of the last two are the same.
 */
export type FloatEncoding = 'f32' | 'f16' | 'words';

/** A buffer as a shader declares it, and the WGSL that its accesses need. */
export type FloatDeclaration = readonly [
  access: 'read' | 'read_write',
  name: string,
  type: string,
  needs: readonly string[],
];

/** A buffer of floats in a shader; places count the lanes that it is declared with. */
export interface FloatBuffer {
  readonly declaration: FloatDeclaration;
  /** An expression for the lanes at a place, of which `index` (u32) is an expression without effects. */
  load(index: string): string;
  /** A statement that stores lanes. */
  store(index: string, value: string): string;
}

/** How a kernel's shaders see a resource. */
export function encodingOf(resource: WebGpuResource, { f16 }: Pick<WebGpuMachine, 'f16'>): FloatEncoding {
  return resource.kind === 'operand' ? encodingOfStorage(resource.storage, f16) : 'f32';
}

/** How shaders see floats that are stored so. */
export function encodingOfStorage(storage: 'f32' | 'f16' | undefined, f16: boolean): FloatEncoding {
  if (storage !== 'f16') return 'f32';
  return f16 ? 'f16' : 'words';
}

/** Declares a buffer to be read and written `lanes` at a time; single halves can be read, but not written. */
export function floatBuffer(
  access: 'read' | 'read_write',
  name: string,
  lanes: Lanes,
  encoding: FloatEncoding = 'f32',
): FloatBuffer {
  if (access === 'read_write' && lanes === 'f32' && encoding !== 'f32') {
    throw new IIError('ERR_KERNEL_PROGRAM', `'${name}' holds halves, which are written two or four at a time`);
  }
  return encodings[encoding](access, name, lanes);
}

type Encode = (access: 'read' | 'read_write', name: string, lanes: Lanes) => FloatBuffer;

const encodings: Readonly<Record<FloatEncoding, Encode>> = {
  f32: (access, name, lanes) => ({
    declaration: [access, name, `array<${lanes}>`, []],
    load: (index) => `${name}[${index}]`,
    store: (index, value) => `${name}[${index}] = ${value};`,
  }),
  f16: (access, name, lanes) => {
    const halves = lanes.replace('f32', 'f16');
    const needs = ['enable f16;', ...(access === 'read' ? [] : [withinHalves(lanes)])];
    return {
      declaration: [access, name, `array<${halves}>`, needs],
      load: (index) => `${lanes}(${name}[${index}])`,
      store: (index, value) => `${name}[${index}] = ${halves}(withinHalves${suffix(lanes)}(${value}));`,
    };
  },
  words: (access, name, lanes) => {
    const words = lanes === 'vec4<f32>' ? 'vec2<u32>' : 'u32';
    return {
      declaration: [access, name, `array<${words}>`, [unpack[lanes], ...(access === 'read' ? [] : pack(lanes))]],
      load: (index) =>
        lanes === 'f32'
          ? `halfOf(${name}[(${index}) / 2u], ${index})`
          : `unpackHalves${suffix(lanes)}(${name}[${index}])`,
      store: (index, value) => `${name}[${index}] = packHalves${suffix(lanes)}(${value});`,
    };
  },
};

const suffix = (lanes: Lanes): string => (lanes === 'f32' ? '' : lanes[3]!);

const unpack: Readonly<Record<Lanes, string>> = {
  f32: `fn halfOf(word: u32, i: u32) -> f32 {
  return unpack2x16float(word >> (i % 2u * 16u)).x;
}`,
  'vec2<f32>': `fn unpackHalves2(word: u32) -> vec2<f32> {
  return unpack2x16float(word);
}`,
  'vec4<f32>': `fn unpackHalves4(words: vec2<u32>) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}`,
};

/** What lies beyond the halves becomes the largest one: their conversions leave it open what it becomes. */
function withinHalves(lanes: Lanes): string {
  const bits = lanes.replace('f32', 'u32');
  return `fn withinHalves${suffix(lanes)}(v: ${lanes}) -> ${lanes} {
  let nan = (bitcast<${bits}>(v) & ${bits}(0x7fffffffu)) > ${bits}(0x7f800000u);
  return select(clamp(v, ${lanes}(-65504.0), ${lanes}(65504.0)), v, nan);
}`;
}

function pack(lanes: Lanes): string[] {
  if (lanes === 'vec2<f32>') {
    return [withinHalves(lanes), 'fn packHalves2(v: vec2<f32>) -> u32 {\n  return pack2x16float(withinHalves2(v));\n}'];
  }
  const four = `fn packHalves4(v: vec4<f32>) -> vec2<u32> {
  let held = withinHalves4(v);
  return vec2<u32>(pack2x16float(held.xy), pack2x16float(held.zw));
}`;
  return [withinHalves('vec4<f32>'), four];
}
