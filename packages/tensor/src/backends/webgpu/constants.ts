/** WebGPU's flag values: they are globals in browsers only. */
export const usage = {
  mapRead: 0x0001,
  copySource: 0x0004,
  copyTarget: 0x0008,
  uniform: 0x0040,
  storage: 0x0080,
  queryResolve: 0x0200,
} as const;

export const mapRead = 0x0001;
export const computeStage = 0x4;
