export { resolveInternImageConfig, type InternImageConfig, type ResolvedInternImageConfig } from './config.js';
export { convFlops, internImageFlops, stageSizes, type Size } from './flops.js';
export { InternImage } from './intern-image.js';
export { variants, type Variant } from './variants.js';
