/*
 * The functions of one operand, as the kernels of elementwise.ts and their gradients tell them apart.
 */

// @ts-ignore: decorator
@inline
export const RELU: i32 = 0;
// @ts-ignore: decorator
@inline
export const GELU: i32 = 1;
// @ts-ignore: decorator
@inline
export const SILU: i32 = 2;
// @ts-ignore: decorator
@inline
export const SIGMOID: i32 = 3;
// @ts-ignore: decorator
@inline
export const EXP: i32 = 4;
// @ts-ignore: decorator
@inline
export const LOG: i32 = 5;
// @ts-ignore: decorator
@inline
export const SQRT: i32 = 6;
// @ts-ignore: decorator
@inline
export const ABS: i32 = 7;
// @ts-ignore: decorator
@inline
export const NEG: i32 = 8;
