import { FormatError } from '../errors.js';
import { bytesSource, readElements, readSafetensors, type ByteSource, type DecodedArray } from '../io/index.js';
import type { HostTensor } from './host-tensor.js';
import { readLocalFile } from './node.js';

/** Integers of any width arrive as i32, bool as u8, half precision as f32. */
export type GoldenArray = Float32Array | Float64Array | Int32Array | Uint8Array;

export interface GoldenTensor extends HostTensor<GoldenArray> {
  /** Names of the axes where the file says them, for example `NCHW` or `OIHW`. */
  readonly layout?: string;
}

export interface GoldenCase {
  readonly id: string;
  /** The operator's parameters, under the names of the library that made the data. */
  readonly params: Readonly<Record<string, unknown>>;
  /** Names of the tensors, in the order of the file. */
  readonly names: readonly string[];
  /** The whole entry of the JSON file, for fields such as `notes` and `expected`. */
  readonly entry: Readonly<Record<string, unknown>>;
  has(name: string): boolean;
  /**
   * The elements of one tensor.
   *
   * @throws FormatError when the case has no such tensor.
   */
  tensor(name: string): GoldenTensor;
}

export interface GoldenFile {
  readonly kind: string;
  readonly cases: readonly GoldenCase[];
  /**
   * The case of that id.
   *
   * @throws FormatError when there is none.
   */
  case(id: string): GoldenCase;
}

interface GoldenJson {
  readonly kind: string;
  readonly file: string;
  readonly cases: readonly {
    readonly id: string;
    readonly params?: Readonly<Record<string, unknown>>;
    readonly tensors?: Readonly<Record<string, { readonly shape: readonly number[]; readonly layout?: string }>>;
  }[];
}

/**
 * Loads golden data, in Node from disk and in a browser by `fetch`: `name.json` lists the cases, the safetensors file that it names lies beside it
 * and holds tensor `t` of case `c` under the key `c/t`.
 *
 * @throws FormatError when the two files do not fit together.
 */
export async function loadGolden(path: string | URL): Promise<GoldenFile> {
  const json = new TextDecoder().decode(await readLocalFile(path));
  const { file } = JSON.parse(json) as GoldenJson;
  const beside = typeof path === 'string' ? path.replace(/[^/\\]*$/, file) : new URL(file, path);
  return readGolden(json, bytesSource(await readLocalFile(beside), file));
}

/**
 * Reads golden data from the text of the JSON file and the bytes of the safetensors file, on any platform.
 *
 * @throws FormatError when the two do not fit together.
 */
export async function readGolden(json: string, data: ByteSource): Promise<GoldenFile> {
  const { kind, cases: entries } = JSON.parse(json) as GoldenJson;
  const { tensors } = await readSafetensors(data);
  const cases: GoldenCase[] = [];
  for (const entry of entries) {
    const loaded = new Map<string, GoldenTensor>();
    for (const [name, { shape, layout }] of Object.entries(entry.tensors ?? {})) {
      const stored = tensors.get(`${entry.id}/${name}`);
      if (!stored || stored.shape.join() !== shape.join()) {
        throw new FormatError(`'${data.name}' has no tensor '${entry.id}/${name}' of shape [${shape.join(', ')}]`);
      }
      loaded.set(name, { shape, data: toGoldenArray(await readElements(stored)), ...(layout && { layout }) });
    }
    cases.push(goldenCase(entry, loaded));
  }
  const find = (id: string): GoldenCase => {
    const found = cases.find((c) => c.id === id);
    if (!found) throw new FormatError(`golden '${kind}' has no case '${id}'`);
    return found;
  };
  return { kind, cases, case: find };
}

function goldenCase(entry: GoldenJson['cases'][number], tensors: ReadonlyMap<string, GoldenTensor>): GoldenCase {
  const names = [...tensors.keys()];
  const tensor = (name: string): GoldenTensor => {
    const found = tensors.get(name);
    if (!found) throw new FormatError(`golden case '${entry.id}' has no tensor '${name}'; it has ${names.join(', ')}`);
    return found;
  };
  return {
    id: entry.id,
    params: entry.params ?? {},
    names,
    entry: { ...entry },
    has: (name) => tensors.has(name),
    tensor,
  };
}

function toGoldenArray(data: DecodedArray): GoldenArray {
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  if (data instanceof Int32Array || data instanceof Uint8Array) return data;
  return Int32Array.from(data as ArrayLike<number | bigint>, Number);
}
