/** What needs Node: files, image codecs and the `ii` command. */
export { main, type MainOptions } from './cli/main.js';
export * from './data/index.js';
export * from './images/index.js';
export { fileSource, type FileSource } from './source/file-source.js';
export { nodeWorkDirectory } from './training/node-directory.js';
