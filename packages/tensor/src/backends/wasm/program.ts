/**
 * The vocabulary in which a kernel describes its work to the CPU device: a program is a list of steps; a step is an
 * exported function of a WebAssembly library, its arguments as 32-bit words, and the number of chunks it splits into.
 * Workers claim chunks one by one; a step begins when every chunk of the step before it is done.
 *
 * An exported function has the signature `(args: usize, chunk: i32, thread: i32) => void`: `args` is the address of
 * the argument words, `thread` the index of the calling worker (for scratch memory of its own).
 */
import type { Bound, KernelParams, Signature, TensorSpec } from '../../kernel.js';

/** Compiled kernels, as base64. */
export interface WasmLibrary {
  readonly name: string;
  /** For every engine. */
  readonly plain: string;
  /** With fused multiply-add, for engines that have relaxed SIMD. */
  readonly relaxed: string;
  /** As `relaxed`, with a higher tile of the matrix product, of 6×8; default: `relaxed`. */
  readonly tall?: string;
  /** As `tall`, with a tile of 6×16 for engines that join vectors to 256 bits; default: `relaxed`. */
  readonly wide?: string;
}

/** The builds of a library, slowest first. */
export type WasmBuild = 'plain' | 'relaxed' | 'tall' | 'wide';

/** A tensor operand; as a step argument it stands for its address. */
export interface WasmOperand extends TensorSpec {
  readonly kind: 'operand';
}

/** Memory from the first step of a program that names it to the last; as a step argument it stands for its address. */
export interface WasmScratch {
  readonly kind: 'scratch';
  readonly bytes: number;
}

/**
 * A derived form of an operand (packed panels, transformed weights) that the backend makes once and keeps with the
 * operand until its contents change; as a step argument it stands for its address.
 */
export interface WasmPrepared {
  readonly kind: 'prepared';
  readonly of: WasmOperand;
  /** Names the form; equal keys on one operand are the same data. */
  readonly key: string;
  readonly bytes: number;
  /** The steps that fill it; `target` stands for the address of the prepared memory. */
  readonly fill: (target: WasmArgument) => readonly WasmStep[];
}

/** An f32 argument; bare numbers are i32 words. */
export interface WasmFloat {
  readonly kind: 'f32';
  readonly value: number;
}

/** Stands for the target of a {@link WasmPrepared} while it is filled. */
export interface WasmTarget {
  readonly kind: 'target';
}

export type WasmArgument = number | WasmFloat | WasmOperand | WasmScratch | WasmPrepared | WasmTarget;

export interface WasmStep {
  /** Name of the exported function. */
  readonly fn: string;
  /** At most {@link maxArguments} words; an optional tensor that is absent is passed as 0. */
  readonly args: readonly WasmArgument[];
  /** Number of chunks, 1 or more; a step without work is left out of the program instead. */
  readonly chunks: number;
}

/** What a kernel may adapt its program to. */
export interface WasmMachine {
  /** Workers that claim chunks. */
  readonly threads: number;
  /** The largest tile of the matrix product. */
  readonly tileRows: number;
  readonly tileColumns: number;
}

export interface WasmKernel<I extends Signature<I>, O extends Signature<O>, P extends KernelParams> {
  readonly library: WasmLibrary;
  readonly program: (
    inputs: Bound<I, WasmOperand>,
    outputs: Bound<O, WasmOperand>,
    params: P,
    machine: WasmMachine,
  ) => readonly WasmStep[];
}

/** Argument words that fit a command slot. */
export const maxArguments = 60;

export const f32 = (value: number): WasmFloat => ({ kind: 'f32', value });
export const scratch = (bytes: number): WasmScratch => ({ kind: 'scratch', bytes });

/** Splits `total` units into chunks of `unit` multiples, a few per thread, and gives the units per chunk and the count. */
export function splitWork(
  total: number,
  machine: WasmMachine,
  { multiple = 1, least = 1, perThread = 8 }: { multiple?: number; least?: number; perThread?: number } = {},
): { readonly size: number; readonly chunks: number } {
  const wanted = machine.threads === 1 ? 1 : machine.threads * perThread;
  const even = Math.ceil(total / wanted);
  const size = Math.max(multiple, Math.ceil(Math.max(even, least) / multiple) * multiple);
  return { size, chunks: Math.max(1, Math.ceil(total / size)) };
}
