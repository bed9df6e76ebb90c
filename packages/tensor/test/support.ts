/** What the operator tests share: the device matrix under Vitest, and comparisons of device tensors. */
import { afterAll, describe, test } from 'vitest';
import type { Device } from '../src/device.js';
import type { HostArray } from '../src/dtype.js';
import { createDevice } from '../src/create-device.js';
import { scope } from '../src/scope.js';
import { sizeOf, type Shape } from '../src/shape.js';
import type { Tensor } from '../src/tensor.js';
import {
  deviceMatrix,
  expectClose,
  hostTensor,
  isSoftwareGpu,
  onEveryDevice,
  precisionOf,
  randomNumbers,
  tolerance,
  type DeviceEntry,
  type HostTensor,
  type RandomRange,
  type ToleranceKind,
} from '../src/testing/index.js';

export const forEveryDevice = (body: (device: Device, entry: DeviceEntry) => void): Promise<void> =>
  onEveryDevice({ describe, test, afterAll }, body);

/**
 * How property tests draw their cases: the same ones in every run.
 *
 * @param device where each case compiles shaders of its own, as products do: fewer cases on a GPU that is the CPU.
 */
export const drawn = (numRuns: number, device?: Device): Drawn => ({
  seed: 20231,
  numRuns: device && isSoftwareGpu(device) ? Math.ceil(numRuns / 4) : numRuns,
  // Looking for a smaller failure would compile shaders without end.
  endOnFailure: device?.name === 'webgpu',
});

interface Drawn {
  readonly seed: number;
  readonly numRuns: number;
  readonly endOnFailure: boolean;
}

/** Every device but the oracle itself. */
export const forEveryFastDevice = (body: (device: Device, entry: DeviceEntry) => void): Promise<void> =>
  onEveryDevice(
    { describe, test, afterAll },
    body,
    deviceMatrix.filter(({ name }) => name !== 'reference'),
  );

/** The CPU devices that compute by kernels: with threads, on one, and by the plain build. */
export const forEveryWasmDevice = (body: (device: Device, entry: DeviceEntry) => void): Promise<void> =>
  onEveryDevice(
    { describe, test, afterAll },
    body,
    deviceMatrix.filter(({ name }) => name === 'wasm'),
  );

/** Compares a tensor with numbers known to f64 and disposes of it. */
export async function expectTensor(
  actual: Tensor,
  shape: Shape,
  values: readonly number[],
  kind: ToleranceKind = 'exact',
): Promise<void> {
  // The oracle computes in f64, but its inputs may be decimals that f32 does not hold: compare with the f32 bound.
  const bound = tolerance(kind, 'f32');
  const { shape: got, data } = await hostTensor(actual);
  actual.dispose();
  expectClose({ shape: got, data }, { shape, data: values }, bound);
}

/** A random tensor on the host, exactly representable in f32. */
export function random(shape: Shape, range: RandomRange = {}): HostTensor<Float32Array> {
  return { shape, data: randomNumbers(sizeOf(shape), range) };
}

export function upload(device: Device, { shape, data }: HostTensor<HostArray>): Tensor {
  return device.tensor(data, shape);
}

const oracle = await createDevice('reference');

/** Runs `body` over host tensors on a device and reads the result; nothing stays behind. */
export async function compute<T extends Record<string, HostTensor<HostArray>>>(
  device: Device,
  inputs: T,
  body: (tensors: { readonly [K in keyof T]: Tensor }) => Tensor,
): Promise<HostTensor<Float64Array>> {
  const y = scope(() => {
    const entries = Object.entries(inputs).map(([key, host]) => [key, upload(device, host)] as const);
    return body(Object.fromEntries(entries) as { [K in keyof T]: Tensor });
  });
  const result = await hostTensor(y);
  y.dispose();
  return result;
}

export interface AgainstReference<T> {
  readonly kind: ToleranceKind;
  /** What the error is measured against, computed from the magnitudes of the inputs; default: the expected tensor. */
  readonly magnitude?: (tensors: { readonly [K in keyof T]: Tensor }) => Tensor;
  /** How many products each sum has, when that is more than 1024. */
  readonly terms?: number;
  /** Names the case in messages. */
  readonly what?: string;
}

/** Runs `body` on a device and on the reference, and compares. */
export async function expectAsReference<T extends Record<string, HostTensor<HostArray>>>(
  device: Device,
  inputs: T,
  body: (tensors: { readonly [K in keyof T]: Tensor }) => Tensor,
  { kind, magnitude, terms, what }: AgainstReference<T>,
): Promise<void> {
  const expected = await compute(oracle, inputs, body);
  const actual = await compute(device, inputs, body);
  let bound = tolerance(kind, precisionOf(device), terms);
  if (magnitude) {
    const sizes = Object.entries(inputs).map(([key, { shape, data }]) => [
      key,
      { shape, data: Float32Array.from(data, Math.abs) },
    ]);
    const { data } = await compute(oracle, Object.fromEntries(sizes) as T, magnitude);
    bound = { ...bound, magnitude: data.reduce((a, b) => Math.max(a, b), 0) };
  }
  expectClose(actual, expected, bound, what);
}
