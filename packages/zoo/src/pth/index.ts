export { NumpyArray, NumpyDType } from './numpy.js';
export { OpaqueValue, PickleDict, PickleGlobal, PickleNamespace, type PickleValue } from './pickle-value.js';
export type { PlainObject, PlainValue } from './plain-value.js';
export { readPth, type PthFile } from './read-pth.js';
export { TorchStorage, TorchTensor, type StorageBytes } from './torch-tensor.js';
