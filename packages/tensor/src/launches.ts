/**
 * Launch parameters of kernels (sizes of tiles, work per invocation) that were measured on a device, and their place while
 * they are being measured. Kernels that can be launched in several ways ask for theirs by the class of shapes at hand.
 */

/** Plain numbers, so that they can be kept as JSON. */
export type LaunchParameters = Readonly<Record<string, number | boolean>>;

/**
 * What was measured to be fastest, by adapter (as it describes itself) and class of shapes. Plain data: keep it as JSON and give
 * it to `createDevice('webgpu', { tuning })`. Entries that no kernel knows any more are passed over.
 */
export type TuningTable = Readonly<Record<string, Readonly<Record<string, LaunchParameters>>>>;

/** What kernels see of {@link Launches}. */
export interface LaunchChooser {
  /**
   * The launch parameters for a class of shapes.
   *
   * @param shapes names the kernel and the class, as with {@link sizeClass}.
   * @param candidates all there are for the shape at hand.
   * @param fallback what the kernel takes by its own estimate; one of the candidates.
   */
  choose<T extends object>(shapes: string, candidates: readonly T[], fallback: T): T;
}

/** A class of shapes that was asked for while measuring. */
export interface AskedLaunch {
  readonly candidates: readonly object[];
  readonly fallback: object;
}

/** The nearest power of two: sizes of one class want the same launch parameters. */
export const sizeClass = (size: number): number => 2 ** Math.round(Math.log2(Math.max(size, 1)));

export class Launches implements LaunchChooser {
  readonly #chosen: Map<string, object>;
  readonly #asked = new Map<string, AskedLaunch>();
  #round: number | null = null;
  #version = 0;

  /** @param adapter the device's own description of itself; chooses the part of the table. */
  constructor(
    readonly adapter: string,
    table: TuningTable = {},
  ) {
    this.#chosen = new Map(Object.entries(table[adapter] ?? {}));
  }

  /** Counts the changes of what {@link Launches.choose} answers. */
  get version(): number {
    return this.#version;
  }

  choose<T extends object>(shapes: string, candidates: readonly T[], fallback: T): T {
    if (this.#round !== null) {
      this.#asked.set(shapes, { candidates, fallback });
      return candidates[this.#round] ?? fallback;
    }
    const chosen = this.#chosen.get(shapes);
    return (chosen && candidates.find((candidate) => equal(candidate, chosen))) ?? fallback;
  }

  /** From now on every class has the candidate of this number, or its fallback where it has fewer. */
  measure(round: number): void {
    this.#round = round;
    this.#version++;
  }

  /** Ends the measuring. @returns the classes that were asked for since it began. */
  stop(): Map<string, AskedLaunch> {
    const asked = new Map(this.#asked);
    this.#asked.clear();
    this.#round = null;
    this.#version++;
    return asked;
  }

  /** What is launched from now on. @param parameters null: as the kernel estimates. */
  set(shapes: string, parameters: object | null): void {
    if (parameters) this.#chosen.set(shapes, parameters);
    else this.#chosen.delete(shapes);
    this.#version++;
  }

  /** What was chosen for this adapter. */
  table(): TuningTable {
    const entries = [...this.#chosen].sort(([a], [b]) => (a < b ? -1 : 1));
    return { [this.adapter]: Object.fromEntries(entries) as Record<string, LaunchParameters> };
  }
}

/** Whether two sets of parameters are the same, in any order. */
function equal(a: object, b: object): boolean {
  const [left, right] = [a as LaunchParameters, b as LaunchParameters];
  const names = Object.keys(left);
  return names.length === Object.keys(right).length && names.every((name) => left[name] === right[name]);
}
