/**
 * Which side of zero the inputs of ReLUs lie on. A ReLU has two branches, and its gradient jumps between them: where an exact
 * input is nearer to zero than its rounding error, any arithmetic but the exact one draws lots, and runs of training that
 * drew differently part for good. To compare runs step by step they have to take the same branches.
 */
import { readFile } from 'node:fs/promises';
import { vi } from 'vitest';
import { add, mul, noGrad, scope, type Device, type Tensor } from '@ii/tensor';

/** An exact input near zero, to three digits. */
export type NearZero = readonly [step: number, relu: number, element: number, value: number];

/** The inputs near zero of the golden runs. */
export interface Branches {
  /** ReLUs of a step, numbered in the order of the forward pass. */
  readonly relus: number;
  /** What counts as near: many times the rounding errors that float32 makes here. */
  readonly within: number;
  readonly cases: Readonly<Record<string, readonly NearZero[]>>;
}

export async function loadBranches(url: URL): Promise<Branches> {
  const { relus, within, ...cases } = JSON.parse(await readFile(url, 'utf8')) as Record<string, unknown>;
  return { relus, within, cases } as Branches;
}

/**
 * Runs `body`, which enqueues a step, and shows `see` the input of each of its ReLUs.
 *
 * @param see gives the tensor that the ReLU takes: its input, or another one.
 * @returns what `body` returns, and how many ReLUs there were.
 */
export function withReluInputs<T>(
  device: Device,
  see: (x: Tensor, relu: number) => Tensor,
  body: () => T,
): { readonly value: T; readonly relus: number } {
  let relus = 0;
  const enqueue = device.enqueue.bind(device) as (kernel: { name: string }, call: Call) => void;
  const seeing = (kernel: { name: string }, call: Call): void => {
    const { x } = call.inputs;
    const isRelu = kernel.name === 'unary' && call.params.fn === 'relu';
    enqueue(kernel, isRelu ? { ...call, inputs: { x: see(x!, relus++) } } : call);
  };
  const spy = vi.spyOn(device, 'enqueue').mockImplementation(seeing as Device['enqueue']);
  try {
    return { value: body(), relus };
  } finally {
    spy.mockRestore();
  }
}

/** A kernel's call as far as it matters here. */
interface Call {
  readonly inputs: { readonly x?: Tensor };
  readonly params: { readonly fn?: string };
}

/** `x` with other values at some places, and to the bit the same ones elsewhere. */
export function replaced(x: Tensor, places: readonly NearZero[]): Tensor {
  if (places.length === 0) return x;
  const keep = new Float32Array(x.size).fill(1);
  const values = new Float32Array(x.size);
  for (const [, , element, value] of places) {
    keep[element] = 0;
    values[element] = value;
  }
  const { device, shape } = x;
  return noGrad(() => scope(() => add(mul(x, device.tensor(keep, shape)), device.tensor(values, shape))));
}
