import type { Bound } from '../../../kernel.js';
import type { Activation, EpilogueSlots } from '../../../ops/epilogue.js';
import { encodingOf, floatBuffer, type FloatBuffer, type FloatEncoding, type Lanes } from '../floats.wgsl.js';
import { read, type WebGpuBinding, type WebGpuMachine, type WebGpuOperand } from '../program.js';
import { unaryWgsl } from './functions.wgsl.js';
import type { StorageDeclaration } from '../wgsl.js';

const slots = ['scale', 'bias', 'layerScale', 'residual'] as const;
type EpilogueSlot = (typeof slots)[number];

/** What an epilogue consists of, as far as its code depends on it. */
export interface EpilogueShape {
  readonly operands: readonly EpilogueSlot[];
  readonly activation: Activation;
  readonly residual: FloatEncoding;
}

/** The sums as they are. */
export const noEpilogue: EpilogueShape = { operands: [], activation: 'none', residual: 'f32' };

type Operands = Bound<EpilogueSlots, WebGpuOperand>;

/** An epilogue's operands that are there, in a fixed order, and its activation. */
export function epilogueShape(inputs: Operands, activation: Activation, machine: WebGpuMachine): EpilogueShape {
  const residual = inputs.residual ? encodingOf(inputs.residual, machine) : 'f32';
  return { operands: slots.filter((slot) => inputs[slot]), activation, residual };
}

/** Bindings in the order of {@link epilogueStorage}. */
export function epilogueBindings(inputs: Operands): WebGpuBinding[] {
  return slots.flatMap((slot) => {
    const operand = inputs[slot];
    return operand ? [read(operand)] : [];
  });
}

export function epilogueStorage(shape: EpilogueShape, lanes: Lanes): StorageDeclaration[] {
  return shape.operands.map((slot) => bufferOf(slot, shape, lanes).declaration);
}

const bufferOf = (slot: EpilogueSlot, { residual }: EpilogueShape, lanes: Lanes): FloatBuffer =>
  floatBuffer('read', slot, lanes, slot === 'residual' ? residual : 'f32');

/**
 * Declares `fn finish(product, at: u32, channel: u32)`.
 *
 * @param stored the elements of the operands: places in the residual and among the channels count these. Where single
 * ones are stored and four are computed, the three behind the place are read too.
 */
export function epilogueWgsl(shape: EpilogueShape, lanes: Lanes, stored: Lanes = lanes): string {
  const { operands, activation } = shape;
  const element = (slot: EpilogueSlot): string => {
    const at = slot === 'residual' ? 'at' : 'channel';
    const { load } = bufferOf(slot, shape, stored);
    const four = [0, 1, 2, 3].map((i) => load(`${at} + ${i}u`));
    return stored === lanes ? load(at) : `${lanes}(${four.join(', ')})`;
  };
  const step = (slot: EpilogueSlot, operator: string): string[] =>
    operands.includes(slot) ? [`y ${operator} ${element(slot)};`] : [];
  const steps = [
    ...step('scale', '*='),
    ...step('bias', '+='),
    ...(activation === 'none' ? [] : ['y = apply(y);']),
    ...step('layerScale', '*='),
    ...step('residual', '+='),
  ];
  return `${activation === 'none' ? '' : `${unaryWgsl(activation, lanes)}\n`}fn finish(product: ${lanes}, at: u32, channel: u32) -> ${lanes} {
  var y = product;
${steps.map((line) => `  ${line}\n`).join('')}  return y;
}`;
}
