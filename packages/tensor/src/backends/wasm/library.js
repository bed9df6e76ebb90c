/**
 * Kernel libraries, made callable: used by the workers and by the device that runs on the calling thread.
 */

/** @typedef {(args: number, chunk: number, thread: number) => void} KernelFunction */

/**
 * Names of a library's kernel functions in the order in which they are numbered.
 * @param {WebAssembly.Module} module
 */
export function functionNames(module) {
  return WebAssembly.Module.exports(module)
    .filter((entry) => entry.kind === 'function')
    .map((entry) => entry.name);
}

/**
 * @param {WebAssembly.Module} module
 * @param {WebAssembly.Memory} memory
 * @returns {KernelFunction[]}
 */
export function kernelFunctions(module, memory) {
  const { exports } = new WebAssembly.Instance(module, { env: { memory, abort: trap } });
  return functionNames(module).map((name) => /** @type {KernelFunction} */ (exports[name]));
}

function trap() {
  throw new WebAssembly.RuntimeError('a kernel aborted');
}
