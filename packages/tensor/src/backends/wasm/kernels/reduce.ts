import type { Slot } from '../../../kernel.js';
import type { ReduceParams } from '../../../ops/reduce.js';
import type { AxisView } from '../../../shape.js';
import { library } from '../library.generated.js';
import { scratch, splitWork, type WasmKernel, type WasmMachine, type WasmStep } from '../program.js';

/** Elements below which a chunk is not worth its dispatch. */
const leastElements = 16384;

export const reduceWasm: WasmKernel<{ x: Slot }, { y: Slot }, ReduceParams> = {
  library,
  program: ({ x }, { y }, { fn, outer, length, inner }, machine) => {
    if (outer * inner === 0) return [];
    const name = fn === 'mean' ? 'sum' : fn;
    const blocks = inner === 1 ? 1 : Math.ceil(inner / 16);
    const width = inner === 1 ? 1 : 16;
    const part = Math.max(1, partLength(outer * blocks, length, width, machine));
    const parts = Math.max(1, Math.ceil(length / part));
    const partial = parts === 1 ? 0 : scratch(outer * parts * Math.ceil(inner / 4) * 32);
    const divisor = fn === 'mean' ? length : 1;
    const units = outer * parts * blocks;
    const least = Math.ceil(leastElements / (part * width));
    const { size, chunks } = splitWork(units, machine, { least });
    const view = [outer, length, inner, parts, part] as const;
    const args = [x, y, partial, ...view, units, size, divisor];
    const reduce = { fn: inner === 1 ? `${name}Rows` : `${name}Columns`, args, chunks };
    if (parts === 1) return [reduce];
    const join = splitWork(outer, machine, { least: Math.ceil(leastElements / (parts * inner)) });
    return [
      reduce,
      {
        fn: `${name === 'sumSquares' ? 'sum' : name}Finish`,
        args: [x, y, partial, ...view, outer, join.size, divisor],
        chunks: join.chunks,
      },
    ];
  },
};

/** How much of a line one unit reduces: all of it where there are lines enough for every thread. */
function partLength(lines: number, length: number, width: number, machine: WasmMachine): number {
  const wanted = Math.ceil((4 * machine.threads) / lines);
  if (machine.threads === 1 || wanted === 1) return length;
  return splitWork(length, machine, { multiple: 16, least: Math.ceil(leastElements / width), perThread: 4 }).size;
}

export const argmaxWasm: WasmKernel<{ x: Slot }, { y: Slot }, AxisView> = {
  library,
  program: ({ x }, { y }, view, machine) => lineStep('argmax', x, y, view, machine),
};

export const softmaxWasm: WasmKernel<{ x: Slot }, { y: Slot }, AxisView> = {
  library,
  program: ({ x }, { y }, view, machine) => lineStep('softmax', x, y, view, machine),
};

/** Lines along the last axis one by one, along another axis four at a time. */
function lineStep(
  name: string,
  x: WasmStep['args'][number],
  y: WasmStep['args'][number],
  { outer, length, inner }: AxisView,
  machine: WasmMachine,
): readonly WasmStep[] {
  if (outer * inner === 0) return [];
  const units = inner === 1 ? outer : outer * Math.ceil(inner / 4);
  const perUnit = inner === 1 ? length : length * 4;
  const { size, chunks } = splitWork(units, machine, { least: Math.ceil(leastElements / perUnit) });
  const fn = inner === 1 ? `${name}Rows` : `${name}Columns`;
  return [{ fn, args: [x, y, units, size, length, inner], chunks }];
}
