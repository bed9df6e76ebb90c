/**
 * The Python names that a checkpoint may use, and the plain data that each stands for. Everything else is refused by
 * name: a pickle can name any function of any module, and loading it with Python would call it.
 */
import { FormatError, storedElementBytes, type StoredDType } from '@ii/tensor';
import { NumpyArray, NumpyDType, numpyDType, numpyFromBuffer, numpyScalar } from './numpy.js';
import { describe, OpaqueValue, PickleDict, PickleGlobal, PickleNamespace, type PickleValue } from './pickle-value.js';
import { TorchStorage, TorchTensor } from './torch-tensor.js';

type Construct = (args: readonly PickleValue[]) => PickleValue;

const storageTypes: ReadonlyArray<readonly [string, StoredDType | 'untyped']> = [
  ['DoubleStorage', 'f64'],
  ['FloatStorage', 'f32'],
  ['HalfStorage', 'f16'],
  ['BFloat16Storage', 'bf16'],
  ['LongStorage', 'i64'],
  ['IntStorage', 'i32'],
  ['ShortStorage', 'i16'],
  ['CharStorage', 'i8'],
  ['ByteStorage', 'u8'],
  ['BoolStorage', 'bool'],
  ['UntypedStorage', 'untyped'],
];

const torchDTypes: ReadonlyArray<readonly [string, StoredDType]> = [
  ['float64', 'f64'],
  ['float32', 'f32'],
  ['float16', 'f16'],
  ['bfloat16', 'bf16'],
  ['int64', 'i64'],
  ['int32', 'i32'],
  ['int16', 'i16'],
  ['int8', 'i8'],
  ['uint64', 'u64'],
  ['uint32', 'u32'],
  ['uint16', 'u16'],
  ['uint8', 'u8'],
  ['bool', 'bool'],
];

/** Classes that configurations are kept in: their items are their content. */
const dictLikeClasses = [
  'addict.addict.Dict',
  'collections.Counter',
  'easydict.EasyDict',
  'mmcv.utils.config.ConfigDict',
  'mmengine.config.config.ConfigDict',
  'yacs.config.CfgNode',
];

/** What is only referred to, never called. */
const references = [
  'numpy.ndarray',
  'torch.Tensor',
  'torch.nn.parameter.Parameter',
  'torch.nn.parameter.Buffer',
  'torch.contiguous_format',
  'torch.preserve_format',
  'torch.channels_last',
  'torch.strided',
];

const constructors: ReadonlyArray<readonly [string, Construct]> = [
  ['builtins.dict', dict],
  ['builtins.list', ([items]) => [...listOf(items)]],
  ['builtins.tuple', ([items]) => [...listOf(items)]],
  ['builtins.set', ([items]) => new Set(listOf(items))],
  ['builtins.frozenset', ([items]) => new Set(listOf(items))],
  ['builtins.bytes', bytes],
  ['builtins.bytearray', bytes],
  ['builtins.complex', (args) => new OpaqueValue('complex', args)],
  ['_codecs.encode', bytes],
  ['collections.OrderedDict', dict],
  ['collections.defaultdict', () => new PickleDict()],
  ['argparse.Namespace', () => new PickleNamespace()],
  ['numpy.dtype', numpyDType],
  ['numpy.core.multiarray.scalar', numpyScalar],
  ['numpy.core.multiarray._reconstruct', () => new NumpyArray()],
  ['numpy.core.numeric._frombuffer', numpyFromBuffer],
  ['torch.Size', ([sizes]) => [...listOf(sizes)]],
  ['torch.device', (args) => new OpaqueValue('torch.device', args)],
  ['torch._utils._rebuild_tensor', tensor],
  ['torch._utils._rebuild_tensor_v2', tensor],
  ['torch._utils._rebuild_tensor_v3', tensorOfType],
  ['torch._utils._rebuild_parameter', ([data]) => tensorOf(data)],
  ['torch._utils._rebuild_parameter_with_state', ([data]) => tensorOf(data)],
  ['torch._tensor._rebuild_from_type_v2', rebuildFromType],
];

const storages = new Map(storageTypes.map(([name, dtype]) => [new PickleGlobal(`torch.${name}`), dtype] as const));
const dtypes = new Map(torchDTypes.map(([name, dtype]) => [new PickleGlobal(`torch.${name}`), dtype] as const));

const allowed = new Map<string, PickleGlobal>(
  [
    ...storages.keys(),
    ...dtypes.keys(),
    ...references.map((name) => new PickleGlobal(name)),
    ...dictLikeClasses.map((name) => new PickleGlobal(name, dict)),
    ...constructors.map(([name, construct]) => new PickleGlobal(name, construct)),
  ].map((global) => [global.name, global]),
);

/** Other names of the same things: Python 2, newer numpy and PyTorch, storages that lived on a GPU. */
const aliases: ReadonlyArray<readonly [RegExp, string]> = [
  [/^__builtin__\./, 'builtins.'],
  [/^numpy\._core\./, 'numpy.core.'],
  [/^torch\.(?:cuda\.(?=\w+Storage$)|storage\.(?=UntypedStorage$))/, 'torch.'],
];

/**
 * What the Python name `module.name` stands for.
 *
 * @throws FormatError for every name that is not in the lists above.
 */
export function resolveGlobal(module: string, name: string): PickleGlobal {
  const full = `${module}.${name}`;
  const usual = aliases.reduce((text, [from, to]) => text.replace(from, to), full);
  const global = allowed.get(usual);
  if (global) return global;
  if (/Storage$|^torch\.\w*complex/.test(full) || full.startsWith('torch._utils._rebuild_')) {
    throw new FormatError(
      `the kind of tensor that '${full}' stands for is not supported; dense tensors of ${torchDTypes.map(([dtype]) => dtype).join(', ')} are`,
    );
  }
  const isClass = /(?:^|\.)[A-Z]\w*$/.test(name);
  throw new FormatError(
    isClass
      ? `refused: the pickle holds an object of the Python class '${full}', which only that class's own code could make; save the weights alone with torch.save(model.state_dict(), path)`
      : `refused: the pickle names the Python function '${full}', which no checkpoint needs; the file may be malicious, and nothing of it was run`,
  );
}

/** What a pickle says about a storage outside it. */
export interface StorageId {
  readonly dtype: StoredDType | 'untyped';
  readonly key: string;
  /** Number of elements. */
  readonly length: number;
  /** The part of the storage that is meant, in elements; only old files have such. */
  readonly view: { readonly offset: number; readonly size: number } | undefined;
}

/**
 * Reads a persistent id: (`storage`, class, key, device, elements), in old files followed by None or by
 * (view key, offset, elements).
 *
 * @throws FormatError for anything else.
 */
export function parseStorageId(id: PickleValue): StorageId {
  const [kind, type, key, , length, view] = Array.isArray(id) ? id : [];
  const dtype = type instanceof PickleGlobal ? storages.get(type) : undefined;
  if (kind !== 'storage' || dtype === undefined || typeof key !== 'string' || !isCount(length)) {
    return malformed(`a reference to ${describe(id)} instead of a storage`);
  }
  if (!Array.isArray(view)) return { dtype, key, length, view: undefined };
  const [, offset, size] = view;
  if (!isCount(offset) || !isCount(size)) return malformed(`a view of storage ${key} without offset and size`);
  return { dtype, key, length, view: { offset, size } };
}

/** Bytes of one element of a storage. */
export function storageElementBytes(dtype: StoredDType | 'untyped'): number {
  return dtype === 'untyped' ? 1 : storedElementBytes(dtype);
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Gives `target` its state, as the opcode BUILD asks: attributes of dicts and tensors carry no weights and are dropped. */
export function buildState(target: PickleValue, state: PickleValue): void {
  if (target instanceof NumpyDType || target instanceof NumpyArray) {
    target.setState(state);
  } else if (target instanceof PickleNamespace) {
    if (state instanceof PickleDict) for (const [key, value] of state) target.set(key, value);
  } else if (!(target instanceof PickleDict || target instanceof TorchTensor || target instanceof OpaqueValue)) {
    malformed(`a state for ${describe(target)}`);
  }
}

function dict([items]: readonly PickleValue[]): PickleDict {
  if (items instanceof PickleDict) return new PickleDict(items);
  const result = new PickleDict();
  for (const pair of items === undefined ? [] : listOf(items)) {
    const [key, value] = listOf(pair);
    result.set(key ?? null, value ?? null);
  }
  return result;
}

/** `_codecs.encode(text, 'latin1')`, by which protocol 2 writes bytes; also `bytes()` and `bytearray(…)`. */
function bytes([data, encoding]: readonly PickleValue[]): Uint8Array {
  if (data === undefined) return new Uint8Array(0);
  if (data instanceof Uint8Array) return data;
  if (Array.isArray(data)) return Uint8Array.from(data, (item) => (typeof item === 'number' ? item : 0));
  if (typeof data !== 'string' || !/^(?:latin-?1|iso-8859-1)$/.test(String(encoding))) {
    return malformed(`bytes from ${describe(data)} in the encoding ${describe(encoding)}`);
  }
  const result = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const code = data.charCodeAt(i);
    if (code > 255) malformed('text beyond latin1 where bytes belong');
    result[i] = code;
  }
  return result;
}

/** `_rebuild_tensor_v2(storage, offset, size, strides, …)`: gradients and hooks are of no use here. */
function tensor(args: readonly PickleValue[]): TorchTensor {
  const [storage, offset, shape, strides] = args;
  return viewOf(storage, offset, shape, strides);
}

/** `_rebuild_tensor_v3(storage, offset, size, strides, requires_grad, hooks, dtype, …)` */
function tensorOfType([storage, offset, shape, strides, , , type]: readonly PickleValue[]): TorchTensor {
  const dtype = type instanceof PickleGlobal ? dtypes.get(type) : undefined;
  return dtype
    ? viewOf(storage, offset, shape, strides, dtype)
    : malformed(`a tensor of element type ${describe(type)}`);
}

function viewOf(
  storage: PickleValue | undefined,
  offset: PickleValue | undefined,
  shape: PickleValue | undefined,
  strides: PickleValue | undefined,
  dtype?: StoredDType,
): TorchTensor {
  if (!(storage instanceof TorchStorage)) return malformed(`a tensor on ${describe(storage)} instead of a storage`);
  return new TorchTensor(storage, numberOf(offset), listOf(shape).map(numberOf), listOf(strides).map(numberOf), dtype);
}

/** `_rebuild_from_type_v2(function, type, args, state)`: a tensor that also has Python attributes. */
function rebuildFromType([callable, , args]: readonly PickleValue[]): PickleValue {
  if (!(callable instanceof PickleGlobal) || !callable.construct) return malformed(`a call of ${describe(callable)}`);
  return tensorOf(callable.construct(listOf(args)));
}

function tensorOf(value: PickleValue | undefined): TorchTensor {
  return value instanceof TorchTensor ? value : malformed(`${describe(value)} where a tensor belongs`);
}

function listOf(value: PickleValue | undefined): readonly PickleValue[] {
  return Array.isArray(value) ? value : malformed(`${describe(value)} where a list belongs`);
}

/** Integers beyond 2^53 lose digits here, but stay far too large to be believed. */
function numberOf(value: PickleValue | undefined): number {
  if (typeof value !== 'number' && typeof value !== 'bigint')
    return malformed(`${describe(value)} where a number belongs`);
  return Number(value);
}

function malformed(problem: string): never {
  throw new FormatError(`the pickle is malformed: it holds ${problem}`);
}
