/**
 * V8 can join WebAssembly's instructions on neighbouring vectors of 128 bits into ones of 256 bits, on x64 processors
 * with AVX2. It does so from version 13 on, behind a flag that is called experimental.
 */

const flag = '--experimental-wasm-revectorize';
const oldest = 13;

/** Whether vectors are joined in this process, and why not. */
export interface WideVectors {
  readonly on: boolean;
  readonly why: string;
}

/**
 * Finds out whether vectors are joined.
 *
 * @param wanted true: turn it on for all of the process, or, in a browser, take the caller's word that it is on. false:
 *   do without. Default: whether the process was started with the flag.
 */
export function wideVectors(wanted?: boolean): WideVectors {
  if (wanted === false) return { on: false, why: '' };
  const host = globalThis.process;
  if (!host?.versions?.v8) return { on: wanted === true, why: '' };
  if (wanted === undefined && !host.execArgv.includes(flag)) return { on: false, why: '' };
  const obstacle = obstacleOf(host);
  if (obstacle) return { on: false, why: `256-bit vectors need ${obstacle}` };
  if (wanted) host.getBuiltinModule('node:v8').setFlagsFromString(flag);
  return { on: true, why: '' };
}

/** What is missing for vectors of 256 bits; '' where nothing is. */
function obstacleOf({ arch, platform, versions, version, getBuiltinModule }: NodeJS.Process): string {
  if (arch !== 'x64') return `an x64 processor (this is ${arch})`;
  if (Number.parseInt(versions.v8) < oldest) return `Node 24 or later (this is ${version})`;
  // Elsewhere no file tells. Without AVX2 V8 joins nothing, and the tile that is made for it is only slower.
  if (platform !== 'linux') return '';
  const cpu = getBuiltinModule('node:fs').readFileSync('/proc/cpuinfo', 'utf8');
  return /^flags\s*:.*\bavx2\b/m.test(cpu) && /^flags\s*:.*\bfma\b/m.test(cpu) ? '' : 'a processor with AVX2 and FMA';
}
