export { blobSource, bytesSource, checkByteRange, type ByteSource } from './byte-source.js';
export {
  decodeElements,
  readElements,
  storedTensor,
  toFloat32,
  type DecodedArray,
  type DecodedArrays,
  type ElementArray,
} from './decode.js';
export { bfloat16ToFloat32, float32ToHalf, halfToFloat32 } from './float16.js';
export { readSafetensors, type SafetensorsFile } from './safetensors.js';
export {
  encodeSafetensors,
  safetensorsChunks,
  writeSafetensors,
  type ByteSink,
  type FloatTarget,
  type SafetensorsWriteOptions,
} from './safetensors-write.js';
export {
  storedByteLength,
  storedElementBytes,
  storedElementCount,
  type StateDict,
  type StoredDType,
  type StoredTensor,
} from './stored-tensor.js';
