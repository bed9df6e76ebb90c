import { IIError } from '@ii/tensor';

/** A list of transforms has an entry that makes no sense; the message says which one and what was expected. */
export class TransformConfigError extends IIError {
  constructor(message: string) {
    super('ERR_TRANSFORM_CONFIG', message);
  }
}

/** What a number in a configuration must be. */
interface Bounds {
  readonly min?: number;
  readonly max?: number;
  /** Must be a whole number. */
  readonly whole?: boolean;
  /** `min` itself is not allowed. */
  readonly exclusive?: boolean;
}

/**
 * Reads the options of one transform from plain data, with checks. A transform reads all that it knows, then calls
 * {@link done}, which refuses what is left.
 */
export class TransformOptions {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #unread: Set<string>;

  /** @param where what messages call the entry, for example `transforms[2] (randomCrop)`. */
  constructor(
    values: Readonly<Record<string, unknown>>,
    readonly where: string,
  ) {
    this.#values = values;
    this.#unread = new Set(Object.keys(values));
    this.#unread.delete('type');
  }

  has(key: string): boolean {
    return this.#values[key] !== undefined;
  }

  number(key: string, fallback: number, bounds: Bounds = {}): number {
    const value = this.#take(key);
    if (value === undefined) return fallback;
    if (!fits(value, bounds)) throw this.error(key, describe(bounds));
    return value;
  }

  /** A list of exactly `length` numbers. */
  numbers(key: string, length: number, bounds: Bounds = {}): number[] {
    const value = this.#take(key);
    if (Array.isArray(value) && value.length === length && value.every((item) => fits(item, bounds))) return [...value];
    throw this.error(key, `a list of ${length}, each ${describe(bounds)}`);
  }

  /** `[low, high]` with `low ≤ high`. */
  range(key: string, fallback: readonly [number, number], bounds: Bounds = {}): readonly [number, number] {
    if (!this.has(key)) return fallback;
    const [low = 0, high = 0] = this.numbers(key, 2, bounds);
    if (low > high) throw this.error(key, '[low, high] with low at most high');
    return [low, high];
  }

  choice<const T extends string>(key: string, fallback: T, allowed: readonly T[]): T {
    const value = this.#take(key);
    if (value === undefined) return fallback;
    const found = allowed.find((item) => item === value);
    if (found === undefined) throw this.error(key, `one of ${allowed.map((item) => `'${item}'`).join(', ')}`);
    return found;
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.#take(key);
    if (value === undefined) return fallback;
    if (typeof value !== 'boolean') throw this.error(key, 'true or false');
    return value;
  }

  /** @throws TransformConfigError if there is an option that nobody has read. */
  done(known: string): void {
    const [extra] = this.#unread;
    if (extra !== undefined) {
      throw new TransformConfigError(`${this.where} has no option '${extra}'; it takes ${known}`);
    }
  }

  error(key: string, expected: string): TransformConfigError {
    const value = this.#values[key];
    const got = value === undefined ? 'nothing' : JSON.stringify(value);
    return new TransformConfigError(`${this.where}: '${key}' must be ${expected}, got ${got}`);
  }

  #take(key: string): unknown {
    this.#unread.delete(key);
    return this.#values[key];
  }
}

function fits(value: unknown, { min = -Infinity, max = Infinity, whole, exclusive }: Bounds): value is number {
  if (typeof value !== 'number' || !Number.isFinite(value) || (whole && !Number.isInteger(value))) return false;
  return value <= max && (exclusive ? value > min : value >= min);
}

function describe({ min, max, whole, exclusive }: Bounds): string {
  const kind = whole ? 'a whole number' : 'a number';
  if (min === undefined) return max === undefined ? kind : `${kind} up to ${max}`;
  if (max !== undefined) return `${kind} from ${min} to ${max}`;
  return exclusive ? `${kind} above ${min}` : `${kind} of at least ${min}`;
}
