import type { DType, HostArray } from '../../dtype.js';
import type { BackendBuffer } from '../backend.js';
import type { Block } from './address-space.js';
import type { WasmOperand } from './program.js';
import type { Recording } from './recording.js';

/** The elements of a tensor on the CPU device. */
export class WasmBuffer implements BackendBuffer {
  readonly backend = 'wasm';
  /** Where the elements are in the WebAssembly memory; null while they are only on the host. */
  block: Block | null = null;
  /** Elements kept on the host until a kernel reads them as they are. */
  host: HostArray | null = null;
  readonly prepared = new Map<string, Block>();
  /** Recordings that read this memory or a prepared form of it. */
  readonly readers = new Set<Recording>();
  /** Whether the memory is a recording's: it goes with the recording. */
  borrowed = false;

  constructor(
    readonly dtype: DType,
    readonly length: number,
  ) {}
}

/** An operand with its buffer. */
export interface BoundOperand extends WasmOperand {
  readonly buffer: WasmBuffer;
}
