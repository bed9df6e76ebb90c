import { readFileSync } from 'node:fs';
import ndarray, { type NdArray } from 'ndarray';

const folder = new URL('../fixtures/image/', import.meta.url);

interface RescaleCase {
  readonly wh: [number, number];
  readonly img_scale: [number, number];
  readonly resized_wh: [number, number];
  readonly multiple32_wh?: [number, number];
}

/** One case of `images.json`; sizes are `[width, height]`. */
export interface ImageCase {
  readonly id: string;
  readonly params: { readonly src?: string; readonly size?: [number, number]; readonly interpolation?: string };
  readonly rescale?: RescaleCase[];
  readonly ratio_range?: RescaleCase[];
}

export const imageCases: ImageCase[] = (
  JSON.parse(readFileSync(new URL('images.json', folder), 'utf8')) as { cases: ImageCase[] }
).cases;

const file = readFileSync(new URL('images.safetensors', folder));
const headerLength = Number(file.readBigUInt64LE(0));
const header = JSON.parse(file.toString('utf8', 8, 8 + headerLength)) as Record<
  string,
  { dtype: string; shape: number[]; data_offsets: [number, number] }
>;

function bytesOf(key: string): { bytes: Uint8Array; shape: number[] } {
  const entry = header[key];
  if (entry === undefined) throw new Error(`no tensor '${key}' in images.safetensors`);
  const [begin, end] = entry.data_offsets;
  return {
    bytes: Uint8Array.from(file.subarray(8 + headerLength + begin, 8 + headerLength + end)),
    shape: entry.shape,
  };
}

/** A Uint8 tensor of the golden file. */
export function goldenBytes(key: string): NdArray<Uint8Array> {
  const { bytes, shape } = bytesOf(key);
  return ndarray(bytes, shape);
}

/** The values of a Float32 tensor of the golden file. */
export function goldenFloats(key: string): Float32Array {
  return new Float32Array(bytesOf(key).bytes.buffer);
}
