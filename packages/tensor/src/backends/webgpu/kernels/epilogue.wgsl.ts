import type { Bound } from '../../../kernel.js';
import type { Activation, EpilogueSlots } from '../../../ops/epilogue.js';
import { read, type WebGpuBinding, type WebGpuOperand } from '../program.js';
import type { StorageDeclaration } from '../wgsl.js';

/** What a shader computes with: single channels, or four neighbouring ones where their number allows it. */
export type Lanes = 'f32' | 'vec4<f32>';

const slots = ['scale', 'bias', 'layerScale', 'residual'] as const;
type EpilogueSlot = (typeof slots)[number];

/** What an epilogue consists of, as far as its code depends on it. */
export interface EpilogueShape {
  readonly operands: readonly EpilogueSlot[];
  readonly activation: Activation;
}

type Operands = Bound<EpilogueSlots, WebGpuOperand>;

/** An epilogue's operands that are there, in a fixed order, and its activation. */
export function epilogueShape(inputs: Operands, activation: Activation): EpilogueShape {
  return { operands: slots.filter((slot) => inputs[slot]), activation };
}

/** Bindings in the order of {@link epilogueStorage}. */
export function epilogueBindings(inputs: Operands): WebGpuBinding[] {
  return slots.flatMap((slot) => {
    const operand = inputs[slot];
    return operand ? [read(operand)] : [];
  });
}

export function epilogueStorage({ operands }: EpilogueShape, lanes: Lanes): StorageDeclaration[] {
  return operands.map((slot) => ['read', slot, `array<${lanes}>`]);
}

/** Declares `fn finish(product, at: u32, channel: u32)`: places count lanes, in the residual and among the channels. */
export function epilogueWgsl({ operands, activation }: EpilogueShape, lanes: Lanes): string {
  const has = (slot: EpilogueSlot): boolean => operands.includes(slot);
  const steps = [
    ...(has('scale') ? ['y *= scale[channel];'] : []),
    ...(has('bias') ? ['y += bias[channel];'] : []),
    ...(activation === 'none' ? [] : ['y = activate(y);']),
    ...(has('layerScale') ? ['y *= layerScale[channel];'] : []),
    ...(has('residual') ? ['y += residual[at];'] : []),
  ];
  return `${activation === 'none' ? '' : activationWgsl(activation, lanes)}
fn finish(product: ${lanes}, at: u32, channel: u32) -> ${lanes} {
  var y = product;
${steps.map((step) => `  ${step}\n`).join('')}  return y;
}`;
}
