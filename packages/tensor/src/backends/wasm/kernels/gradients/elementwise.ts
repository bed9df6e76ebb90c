import type { Slot } from '../../../../kernel.js';
import type { AdamWInputs, AdamWOutputs, AdamWParams } from '../../../../ops/gradients/adamw.js';
import type { UnaryGradientInputs, UnaryGradientParams } from '../../../../ops/gradients/elementwise.js';
import { sizeOf } from '../../../../shape.js';
import { library } from '../../library.generated.js';
import { f32, splitWork, type WasmKernel } from '../../program.js';

/** Elements below which a chunk is not worth its dispatch. */
const leastElements = 16384;

export const unaryGradientWasm: WasmKernel<UnaryGradientInputs, { gx: Slot }, UnaryGradientParams> = {
  library,
  program: ({ x, gy }, { gx }, { fn }, machine) => {
    const length = sizeOf(gx.shape);
    const { size, chunks } = splitWork(length, machine, { multiple: 16, least: leastElements });
    return length === 0 ? [] : [{ fn: `${fn}Gradient`, args: [x, gy, gx, length, size], chunks }];
  },
};

export const adamWWasm: WasmKernel<AdamWInputs, AdamWOutputs, AdamWParams> = {
  library,
  program: ({ gradient, scale }, { parameter, mean, variance }, params, machine) => {
    const length = sizeOf(parameter.shape);
    if (length === 0) return [];
    const { decay, beta1, beta2, eps, rate, correction } = params;
    const { size, chunks } = splitWork(length, machine, { multiple: 16, least: leastElements });
    const constants = [decay, beta1, 1 - beta1, beta2, 1 - beta2, eps, rate, correction].map(f32);
    const args = [parameter, gradient, mean, variance, scale ?? 0, length, size, ...constants];
    return [{ fn: 'adamW', args, chunks }];
  },
};
