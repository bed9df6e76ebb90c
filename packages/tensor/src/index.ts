export { createDevice, deviceNames, type DeviceName, type DeviceOptions } from './create-device.js';
export type { Capture } from './capture.js';
export { Device, type DeviceMemory, type TensorOptions } from './device.js';
export { sizeClass, type LaunchChooser, type LaunchParameters, type TuningTable } from './launches.js';
export type { TuneOptions } from './tune.js';
export { summarizeTrace, type TraceEntry, type TraceSummary } from './trace.js';
export type { StepTime } from './backends/backend.js';
export { measureWasmPeak, type WasmPeak } from './backends/wasm/peak.js';
export { Tensor } from './tensor.js';
export { keep, scope } from './scope.js';
export { Random } from './random.js';
export type { DType, HostArray, HostArrays } from './dtype.js';
export * from './errors.js';
export { floatToHalf, halfToFloat } from './half.js';
export { pair, showShape, sizeOf, type Pair, type Shape } from './shape.js';
export {
  defineKernel,
  type Bound,
  type Kernel,
  type KernelParams,
  type Signature,
  type Slot,
  type TensorSpec,
} from './kernel.js';
export type { ReferenceArray } from './backends/reference/backend.js';
export {
  f32,
  scratch,
  splitWork,
  type WasmArgument,
  type WasmKernel,
  type WasmLibrary,
  type WasmMachine,
  type WasmOperand,
  type WasmPrepared,
  type WasmScratch,
  type WasmStep,
} from './backends/wasm/program.js';
export {
  defineShader,
  gpuScratch,
  linearGrid,
  read,
  takingHalves,
  write,
  type HalfOperands,
  type WebGpuBinding,
  type WebGpuKernel,
  type WebGpuMachine,
  type WebGpuOperand,
  type WebGpuPrepared,
  type WebGpuResource,
  type WebGpuScratch,
  type WebGpuShader,
  type WebGpuStep,
  type WorkgroupGrid,
} from './backends/webgpu/program.js';
export {
  encodingOf,
  floatBuffer,
  type FloatBuffer,
  type FloatDeclaration,
  type FloatEncoding,
  type Lanes,
} from './backends/webgpu/floats.wgsl.js';
export {
  linearBuiltins,
  linearInvocation,
  linearWorkgroup,
  storage,
  uniformBlock,
  type UniformBlock,
} from './backends/webgpu/wgsl.js';
export * from './autograd/index.js';
export * from './ops/index.js';
export * from './io/index.js';
export * from './nn/index.js';
export * from './optim/index.js';
