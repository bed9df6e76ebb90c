import type { WasmBuild, WasmLibrary, WasmMachine } from './program.js';

/** `() => f32x4.relaxed_madd(0, 0, 0)`: valid only where the engine has relaxed SIMD. */
const relaxedProbe = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b, 0x03, 0x02, 0x01, 0x00],
  ...[0x0a, 0x13, 0x01, 0x11, 0x00, 0x41, 0x00, 0xfd, 0x11, 0x41, 0x00, 0xfd, 0x11, 0x41, 0x00, 0xfd, 0x11],
  ...[0xfd, 0x85, 0x02, 0x0b],
);

/** A memory of 64-bit addresses. */
const memory64 = { address: 'i64', initial: 0n, maximum: 0n } as unknown as WebAssembly.MemoryDescriptor;

/** Whether this engine runs the relaxed build of a library. */
export const hasRelaxedSimd = (): boolean => WebAssembly.validate(relaxedProbe);

/**
 * Whether the engine's compiler is taken to keep the higher tile in registers. V8 does since 13.0; before that it spills,
 * at half the speed, and the smaller tile is faster. Nothing tells compilers apart but what else came with them: V8
 * makes memories of 64-bit addresses since 13.3. (Validating such a module would not do: 12.4 reads them already.)
 */
function keepsHigherTile(): boolean {
  try {
    return new WebAssembly.Memory(memory64).buffer.byteLength === 0;
  } catch {
    return false;
  }
}

/**
 * The build that is fastest on this engine.
 *
 * @param wideVectors whether the engine joins vectors to 256 bits.
 */
export function fastestBuild(wideVectors: boolean): WasmBuild {
  if (!hasRelaxedSimd()) return 'plain';
  if (wideVectors) return 'wide';
  return keepsHigherTile() ? 'tall' : 'relaxed';
}

/** The matrix product's tile in a build of this package's library, as scripts/build-wasm.mjs sets it. */
export const tileOf = (build: WasmBuild): Pick<WasmMachine, 'tileRows' | 'tileColumns'> => ({
  tileRows: build === 'tall' || build === 'wide' ? 6 : 5,
  tileColumns: build === 'wide' ? 16 : 8,
});

/** The bytes of a library's build, importing a shared or an unshared memory. */
export function libraryBytes(library: WasmLibrary, build: WasmBuild, shared: boolean): Uint8Array<ArrayBuffer> {
  const text = atob(library[build] ?? library.relaxed);
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
