import { FormatError } from '@ii/tensor';

/** The pickle goes on past the bytes at hand: more of the file is needed, or the file is cut. */
export class PickleEndError extends FormatError {
  /** @param needed bytes that must be at hand, counted from the start of the buffer, for reading to go on */
  constructor(readonly needed: number) {
    super(`the pickle ends early: byte ${needed - 1} of it is missing, so the file is cut or damaged`);
  }
}

/** Longest line of a text opcode (names of globals, decimal numbers), in bytes. */
const maxLine = 4096;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads a pickle's operands; every read is checked against the bytes that exist before anything is allocated. */
export class PickleCursor {
  readonly #view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    public position: number,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Moves over `length` bytes and returns where they begin. */
  #advance(length: number): number {
    const start = this.position;
    if (length > this.bytes.byteLength - start) throw new PickleEndError(start + length);
    this.position = start + length;
    return start;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  /** An eight-byte length. */
  u64(): number {
    const value = Number(this.#view.getBigUint64(this.#advance(8), true));
    if (!Number.isSafeInteger(value)) throw new FormatError(`the pickle holds an impossible length, ${value}`);
    return value;
  }

  /** Big-endian, unlike everything else in a pickle. */
  f64(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  take(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.bytes.subarray(start, start + length);
  }

  text(length: number): string {
    const start = this.position;
    const bytes = this.take(length);
    try {
      return utf8.decode(bytes);
    } catch (error) {
      throw new FormatError(`the text at byte ${start} of the pickle is not UTF-8`, { cause: error });
    }
  }

  /** Text up to a line feed, which is consumed. */
  line(): string {
    const text = this.text(this.#lineLength());
    this.position++;
    return text;
  }

  /** A line in Python's encoding raw-unicode-escape: Latin-1, and escapes for all other characters. */
  escapedLine(): string {
    const latin = Array.from(this.take(this.#lineLength()), (byte) => String.fromCharCode(byte)).join('');
    this.position++;
    return latin.replace(
      /\\u([\da-fA-F]{4})|\\U(0010[\da-fA-F]{4}|000[\da-fA-F]{5})/g,
      (_, short?: string, long?: string) => String.fromCodePoint(Number.parseInt(short ?? long ?? '', 16)),
    );
  }

  #lineLength(): number {
    const length = this.bytes.subarray(this.position, this.position + maxLine).indexOf(0x0a);
    if (length >= 0) return length;
    if (this.bytes.byteLength - this.position < maxLine) throw new PickleEndError(this.bytes.byteLength + 1);
    throw new FormatError(`the line at byte ${this.position} of the pickle is longer than ${maxLine} bytes`);
  }

  /** A two's complement, little-endian integer of `length` bytes. */
  integer(length: number): number | bigint {
    if (length > 256) throw new FormatError(`the pickle holds an integer of ${length} bytes; at most 256 are read`);
    let value = 0n;
    const bytes = this.take(length);
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
    return narrow(BigInt.asIntN(length * 8, value));
  }
}

/** A number where a number holds the integer exactly. */
export function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
