export * from './conv2d.js';
export * from './conv2d-pyramid.js';
export * from './elementwise.js';
export * from './layout.js';
export * from './linear.js';
export * from './norm.js';
export * from './reduce.js';
export * from './spatial.js';
export type { Activation, EpilogueOptions, EpilogueSlots } from './epilogue.js';
