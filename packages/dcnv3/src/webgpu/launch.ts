/** How the work of a DCNv3 kernel is shared out on a GPU. */
export interface DCNv3Launch {
  /** Channels that are read at once: 4 where a group is a multiple of four wide, else 1. */
  readonly lanes: 1 | 4;
  /** Such reads per sampled pixel and invocation: the sampling point is worked out once for all of them. */
  readonly reads: number;
  /** Invocations that share a group. */
  readonly shares: number;
  /** Invocations of a workgroup. */
  readonly invocations: number;
}

/** Most reads per invocation: 16 channels, a whole group of InternImage-T to -XL and half of one of -H. */
const mostReads = 4;

/** The launch parameters for a group's width; a tuner that measures replaces this. */
export function chooseLaunch(groupChannels: number): DCNv3Launch {
  const lanes = groupChannels % 4 === 0 ? 4 : 1;
  const units = groupChannels / lanes;
  const shares = Math.ceil(units / mostReads);
  return { lanes, reads: Math.ceil(units / shares), shares, invocations: 64 };
}
