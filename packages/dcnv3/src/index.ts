export { dcnv3, type DCNv3CoreOptions } from './dcnv3.js';
export { DCNv3, type DCNv3Options } from './module.js';
