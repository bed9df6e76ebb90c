/** From a data set to batches, loaded ahead of their use. */
export { packSample, stackSamples, type Batch } from './batch.js';
export { inProcess, type SamplePipeline } from './in-process.js';
export { loadBatches, type BatchLoaderOptions, type LoadedBatch } from './load-batches.js';
export { loadSamples, type LoadedSample, type SampleLoaderOptions } from './load-samples.js';
