import { sizeClass, type WebGpuMachine } from '@ii/tensor';

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
const usualInvocations = 64;

/** Every way to launch the kernel for a group's width. */
export function launches(groupChannels: number, maxInvocations: number): DCNv3Launch[] {
  const lanes = groupChannels % 4 === 0 ? 4 : 1;
  const units = groupChannels / lanes;
  const widths = new Set([1, 2, 4, 8].map((reads) => Math.ceil(units / Math.ceil(units / reads))));
  const groups = [32, 64, 128, 256].filter((invocations) => invocations <= maxInvocations);
  return [...widths].flatMap((reads) =>
    groups.map((invocations) => ({ lanes, reads, shares: Math.ceil(units / reads), invocations })),
  );
}

/**
 * The launch parameters for a group's width: those that were measured to be the fastest, or 16 channels per invocation.
 *
 * @param places groups of all pixels that are written.
 * @param kernel whose launch parameters they are.
 * @returns with the class of shapes that they were chosen for.
 */
export function chooseLaunch(
  groupChannels: number,
  places: number,
  machine: Pick<WebGpuMachine, 'maxInvocations' | 'launches'>,
  kernel = 'dcnv3',
): { readonly launch: DCNv3Launch; readonly shapes: string } {
  const all = launches(groupChannels, machine.maxInvocations);
  const usual = all
    .filter(({ reads, invocations }) => reads <= mostReads && invocations === usualInvocations)
    .reduce((a, b) => (b.reads > a.reads ? b : a));
  const shapes = `${kernel} of ${groupChannels} channels, ${sizeClass(places)} groups`;
  return { launch: machine.launches?.choose(shapes, all, usual) ?? usual, shapes };
}
