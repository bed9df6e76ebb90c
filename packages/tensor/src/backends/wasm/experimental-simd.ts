/**
 * SIMD that V8 has behind flags which it calls experimental. On x64 processors with AVX2 it can join WebAssembly's
 * instructions on neighbouring vectors of 128 bits into ones of 256 bits, from version 13 on; and in Node 20 it has relaxed
 * SIMD, with fused multiply-adds, which later versions have in any case.
 */
import { hasRelaxedSimd } from './build.js';

const joiningFlag = '--experimental-wasm-revectorize';
const relaxedFlag = '--experimental-wasm-relaxed-simd';
const oldestJoining = 13;

/** Whether vectors are joined in this process, and why not. */
export interface WideVectors {
  readonly on: boolean;
  readonly why: string;
}

/**
 * Turns on what there is and finds out whether vectors are joined.
 *
 * @param wanted true: set the flags for all of the process, or, in a browser, take the caller's word that it was started
 *   with the one that joins vectors. false: do without. Default: whether the process was started with that flag.
 */
export function experimentalSimd(wanted?: boolean): WideVectors {
  if (wanted === false) return { on: false, why: '' };
  const host = globalThis.process;
  if (!host?.versions?.v8) return { on: wanted === true, why: '' };
  if (wanted === undefined && !host.execArgv.includes(joiningFlag)) return { on: false, why: '' };
  const set = (flag: string): void => host.getBuiltinModule('node:v8').setFlagsFromString(flag);
  if (wanted && !hasRelaxedSimd()) set(relaxedFlag);
  const obstacle = obstacleOf(host);
  if (obstacle) return { on: false, why: `256-bit vectors need ${obstacle}` };
  if (wanted) set(joiningFlag);
  return { on: true, why: '' };
}

/** What is missing for vectors of 256 bits; '' where nothing is. */
function obstacleOf({ arch, platform, versions, version, getBuiltinModule }: NodeJS.Process): string {
  if (arch !== 'x64') return `an x64 processor (this is ${arch})`;
  if (Number.parseInt(versions.v8) < oldestJoining) return `Node 24 or later (this is ${version})`;
  // Elsewhere no file tells. Without AVX2 V8 joins nothing, and the tile that is made for it is only slower.
  if (platform !== 'linux') return '';
  const cpu = getBuiltinModule('node:fs').readFileSync('/proc/cpuinfo', 'utf8');
  return /^flags\s*:.*\bavx2\b/m.test(cpu) && /^flags\s*:.*\bfma\b/m.test(cpu) ? '' : 'a processor with AVX2 and FMA';
}
