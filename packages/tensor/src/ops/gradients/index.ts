/**
 * Kernels that gradients and the optimiser need beyond the operators themselves. They are not exported from the package:
 * the operators' gradients are.
 */
export * from './adamw.js';
export * from './conv2d.js';
export * from './conv2d-pyramid.js';
export * from './conv2d-winograd.js';
export * from './cross-entropy.js';
export * from './elementwise.js';
export * from './norm.js';
export * from './resize-cross-entropy.js';
export * from './spatial.js';
