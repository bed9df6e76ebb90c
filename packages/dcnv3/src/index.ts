export { dcnv3, type DCNv3CoreOptions } from './dcnv3.js';
export { dcnv3Gradients, type DCNv3GradientOptions, type DCNv3Gradients } from './dcnv3-gradient.js';
export { DCNv3, type DCNv3Options } from './module.js';
