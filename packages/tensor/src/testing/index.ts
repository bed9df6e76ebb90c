/**
 * What a test of operators needs, for any test runner: the devices to run on, golden data, tolerances and a comparison
 * that says where two tensors differ.
 */
export { compareTensors, expectClose, type Comparison, type Tolerance } from './compare.js';
export {
  deviceMatrix,
  devices,
  isSoftwareGpu,
  isSwiftShader,
  onEveryDevice,
  type DeviceEntry,
  type MadeDevice,
  type TestRunner,
} from './devices.js';
export {
  loadGolden,
  readGolden,
  type GoldenArray,
  type GoldenCase,
  type GoldenFile,
  type GoldenTensor,
} from './golden.js';
export { ownGpuDevice } from './gpu.js';
export { asHalves, expectHalves, roundedToHalf } from './halves.js';
export { channelsFirst, channelsLast, hostTensor, type HostTensor } from './host-tensor.js';
export { randomNumbers, type RandomRange } from './random-numbers.js';
export { nullGpu } from './node.js';
export { precisionOf, tolerance, type Precision, type ToleranceKind } from './tolerance.js';
export { goldenStateDict } from './state-dict.js';
