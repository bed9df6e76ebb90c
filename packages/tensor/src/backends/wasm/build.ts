import type { WasmLibrary } from './program.js';

/** `() => f32x4.relaxed_madd(0, 0, 0)`: valid only where the engine has relaxed SIMD. */
const relaxedProbe = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b, 0x03, 0x02, 0x01, 0x00],
  ...[0x0a, 0x13, 0x01, 0x11, 0x00, 0x41, 0x00, 0xfd, 0x11, 0x41, 0x00, 0xfd, 0x11, 0x41, 0x00, 0xfd, 0x11],
  ...[0xfd, 0x85, 0x02, 0x0b],
);

/** Whether this engine runs the relaxed build of a library. */
export const hasRelaxedSimd = (): boolean => WebAssembly.validate(relaxedProbe);

/** The bytes of a library's build, importing a shared or an unshared memory. */
export function libraryBytes(library: WasmLibrary, relaxed: boolean, shared: boolean): Uint8Array<ArrayBuffer> {
  const text = atob(relaxed ? library.relaxed : library.plain);
  const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
  if (!shared) unshare(bytes);
  return bytes;
}

/** The import `env.memory` with limits "shared, with maximum" and with limits "with maximum". */
const memoryImport = [3, ...[...'env'].map(code), 6, ...[...'memory'].map(code), 2];
const SHARED = 3;
const UNSHARED = 1;

function unshare(bytes: Uint8Array): void {
  const at = bytes.findIndex((_, i) => memoryImport.every((b, k) => bytes[i + k] === b));
  const flags = at + memoryImport.length;
  if (at < 0 || bytes[flags] !== SHARED) throw new TypeError('the library does not import a shared env.memory');
  bytes[flags] = UNSHARED;
}

function code(character: string): number {
  return character.charCodeAt(0);
}
