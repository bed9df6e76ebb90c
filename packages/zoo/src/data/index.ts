/** Data sets on disk, in Node: files, decoding, and worker threads that load samples. */
export { decodeAnnotation } from './decode-annotation.js';
export { nodeAccess, openAde20kFolder } from './node-access.js';
export { nodeDirectory } from './node-directory.js';
export { startSampleWorkers, type SampleWorkers, type SampleWorkersOptions } from './sample-workers.js';
