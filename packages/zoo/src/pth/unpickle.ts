/**
 * A restricted unpickler: it builds plain data and runs nothing. The opcodes are those of Python's pickle protocols 0
 * to 5 that `torch.save` writes (https://docs.python.org/3/library/pickletools.html); what a pickle may name is decided
 * by the caller.
 */
import { FormatError } from '@ii/tensor';
import { narrow, PickleCursor } from './pickle-cursor.js';
import { describe, PickleDict, PickleGlobal, type PickleValue } from './pickle-value.js';

export interface PickleEnvironment {
  /** What the Python name `module.name` stands for; throws for all that is not allowed. */
  resolve(module: string, name: string): PickleGlobal;
  /** The object outside the pickle that `id` names. */
  persistent(id: PickleValue): PickleValue;
  /** Gives the object `target` its state (opcode BUILD). */
  build(target: PickleValue, state: PickleValue): void;
}

/** Longest pickle that is read, in bytes: it holds names and shapes, not weights, and takes about 200 per tensor. */
export const maxPickleBytes = 64 * 2 ** 20;
/** Opcodes executed at most: each costs some memory, and no real checkpoint comes near. */
const maxOpcodes = 2_000_000;
const stop = 0x2e;

/**
 * Reads one pickle from `bytes`, beginning at `start`.
 *
 * @returns the value and the position after the pickle's STOP opcode.
 * @throws PickleEndError when the pickle is longer than `bytes`.
 * @throws FormatError for what is malformed, not allowed, or too large to be a checkpoint.
 */
export function unpickle(
  bytes: Uint8Array,
  environment: PickleEnvironment,
  start = 0,
): { value: PickleValue; end: number } {
  const machine = new PickleMachine(new PickleCursor(bytes, start), environment);
  const { cursor } = machine;
  for (let count = 0; count < maxOpcodes; count++) {
    const position = cursor.position;
    const opcode = cursor.u8();
    if (opcode === stop) return { value: machine.pop(), end: cursor.position };
    const execute = opcodes[opcode];
    if (!execute) {
      const code = `0x${opcode.toString(16).padStart(2, '0')}`;
      throw new FormatError(`byte ${position} of the pickle, ${code}, is not an opcode that torch.save writes`);
    }
    execute(machine);
  }
  throw new FormatError(`the pickle has more than ${maxOpcodes} opcodes, which no checkpoint needs`);
}

class PickleMachine {
  readonly memo = new Map<number, PickleValue>();
  /** The stacks below each mark that is open; `stack` holds what came after the last one. */
  readonly #below: PickleValue[][] = [];
  stack: PickleValue[] = [];

  constructor(
    readonly cursor: PickleCursor,
    readonly environment: PickleEnvironment,
  ) {}

  push(value: PickleValue): void {
    this.stack.push(value);
  }

  pop(): PickleValue {
    const value = this.stack.pop();
    if (value === undefined) this.fail('takes a value from an empty stack');
    return value;
  }

  top(): PickleValue {
    const value = this.stack.at(-1);
    if (value === undefined) this.fail('needs a value on an empty stack');
    return value;
  }

  mark(): void {
    this.#below.push(this.stack);
    this.stack = [];
  }

  /** Takes what was pushed since the last mark. */
  popMark(): PickleValue[] {
    const items = this.stack;
    this.stack = this.#below.pop() ?? this.fail('closes a mark that was never opened');
    return items;
  }

  popCount(count: number): PickleValue[] {
    const items: PickleValue[] = [];
    for (let i = 0; i < count; i++) items.unshift(this.pop());
    return items;
  }

  popText(): string {
    const value = this.pop();
    return typeof value === 'string' ? value : this.fail(`needs text, not ${describe(value)}`);
  }

  get(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) this.fail(`refers to memo ${index}, which was never stored`);
    this.push(value);
  }

  put(index: number): void {
    this.memo.set(index, this.top());
  }

  append(items: readonly PickleValue[]): void {
    const list = this.top();
    if (!Array.isArray(list)) this.fail(`appends to ${describe(list)}`);
    for (const item of items) list.push(item);
  }

  add(items: readonly PickleValue[]): void {
    const set = this.top();
    if (!(set instanceof Set)) this.fail(`adds to ${describe(set)}`);
    for (const item of items) set.add(item);
  }

  setItems(items: readonly PickleValue[]): void {
    const dict = this.top();
    if (!(dict instanceof PickleDict)) this.fail(`sets items of ${describe(dict)}`);
    this.#fill(dict, items);
  }

  dict(items: readonly PickleValue[]): PickleDict {
    return this.#fill(new PickleDict(), items);
  }

  #fill(dict: PickleDict, items: readonly PickleValue[]): PickleDict {
    if (items.length % 2 !== 0) this.fail('has a key without a value');
    for (let i = 0; i < items.length; i += 2) dict.set(items[i] ?? null, items[i + 1] ?? null);
    return dict;
  }

  /** Stands for `callable(*args)`: only the constructors of the environment are ever called. */
  reduce(callable: PickleValue, args: PickleValue): void {
    if (!(callable instanceof PickleGlobal) || !callable.construct) {
      this.fail(`calls ${describe(callable)}, which cannot be called here`);
    }
    if (!Array.isArray(args)) this.fail(`calls ${callable.name} with ${describe(args)} instead of arguments`);
    this.push(callable.construct(args));
  }

  decimal(): number | bigint {
    const text = this.cursor.line().replace(/L$/, '');
    if (!/^-?\d{1,600}$/.test(text)) this.fail(`has the integer ${JSON.stringify(text.slice(0, 40))}`);
    return narrow(BigInt(text));
  }

  /** An index of the memo, as a line of text. */
  index(): number {
    const value = this.decimal();
    return typeof value === 'number' ? value : this.fail(`has the memo index ${value}`);
  }

  fail(problem: string): never {
    throw new FormatError(`the pickle is malformed: at byte ${this.cursor.position} it ${problem}`);
  }
}

const opcodes: Readonly<Record<number, (machine: PickleMachine) => void>> = {
  // Constants
  0x4e: (m) => m.push(null), // NONE
  0x88: (m) => m.push(true), // NEWTRUE
  0x89: (m) => m.push(false), // NEWFALSE
  0x49: (m) => {
    // INT: protocol 0 and 1 write booleans as 00 and 01
    const text = new TextDecoder().decode(m.cursor.bytes.subarray(m.cursor.position, m.cursor.position + 3));
    const value = m.decimal();
    m.push(text === '00\n' ? false : text === '01\n' ? true : value);
  },
  0x4c: (m) => m.push(m.decimal()), // LONG
  0x4a: (m) => m.push(m.cursor.i32()), // BININT
  0x4b: (m) => m.push(m.cursor.u8()), // BININT1
  0x4d: (m) => m.push(m.cursor.u16()), // BININT2
  0x8a: (m) => m.push(m.cursor.integer(m.cursor.u8())), // LONG1
  0x8b: (m) => m.push(m.cursor.integer(m.cursor.u32())), // LONG4
  0x46: (m) => {
    // FLOAT
    const text = m.cursor.line();
    const value = { nan: NaN, inf: Infinity, '-inf': -Infinity }[text] ?? (text.trim() === '' ? NaN : Number(text));
    if (Number.isNaN(value) && text !== 'nan') m.fail(`has the number ${JSON.stringify(text.slice(0, 40))}`);
    m.push(value);
  },
  0x47: (m) => m.push(m.cursor.f64()), // BINFLOAT
  0x56: (m) => m.push(m.cursor.escapedLine()), // UNICODE
  0x58: (m) => m.push(m.cursor.text(m.cursor.u32())), // BINUNICODE
  0x8c: (m) => m.push(m.cursor.text(m.cursor.u8())), // SHORT_BINUNICODE
  0x8d: (m) => m.push(m.cursor.text(m.cursor.u64())), // BINUNICODE8
  0x54: (m) => m.push(m.cursor.text(m.cursor.u32())), // BINSTRING: the str of Python 2
  0x55: (m) => m.push(m.cursor.text(m.cursor.u8())), // SHORT_BINSTRING
  0x42: (m) => m.push(m.cursor.take(m.cursor.u32())), // BINBYTES
  0x43: (m) => m.push(m.cursor.take(m.cursor.u8())), // SHORT_BINBYTES
  0x8e: (m) => m.push(m.cursor.take(m.cursor.u64())), // BINBYTES8
  0x96: (m) => m.push(m.cursor.take(m.cursor.u64())), // BYTEARRAY8

  // Containers
  0x29: (m) => m.push([]), // EMPTY_TUPLE
  0x85: (m) => m.push(m.popCount(1)), // TUPLE1
  0x86: (m) => m.push(m.popCount(2)), // TUPLE2
  0x87: (m) => m.push(m.popCount(3)), // TUPLE3
  0x74: (m) => m.push(m.popMark()), // TUPLE
  0x5d: (m) => m.push([]), // EMPTY_LIST
  0x6c: (m) => m.push(m.popMark()), // LIST
  0x61: (m) => m.append(m.popCount(1)), // APPEND
  0x65: (m) => m.append(m.popMark()), // APPENDS
  0x7d: (m) => m.push(new PickleDict()), // EMPTY_DICT
  0x64: (m) => m.push(m.dict(m.popMark())), // DICT
  0x73: (m) => m.setItems(m.popCount(2)), // SETITEM
  0x75: (m) => m.setItems(m.popMark()), // SETITEMS
  0x8f: (m) => m.push(new Set()), // EMPTY_SET
  0x90: (m) => m.add(m.popMark()), // ADDITEMS
  0x91: (m) => m.push(new Set(m.popMark())), // FROZENSET

  // Stack and memo
  0x28: (m) => m.mark(), // MARK
  0x30: (m) => void (m.stack.length > 0 ? m.pop() : m.popMark()), // POP
  0x31: (m) => void m.popMark(), // POP_MARK
  0x32: (m) => m.push(m.top()), // DUP
  0x67: (m) => m.get(m.index()), // GET
  0x68: (m) => m.get(m.cursor.u8()), // BINGET
  0x6a: (m) => m.get(m.cursor.u32()), // LONG_BINGET
  0x70: (m) => m.put(m.index()), // PUT
  0x71: (m) => m.put(m.cursor.u8()), // BINPUT
  0x72: (m) => m.put(m.cursor.u32()), // LONG_BINPUT
  0x94: (m) => m.put(m.memo.size), // MEMOIZE

  // Objects
  0x63: (m) => m.push(m.environment.resolve(m.cursor.line(), m.cursor.line())), // GLOBAL
  0x93: (m) => {
    // STACK_GLOBAL
    const name = m.popText();
    m.push(m.environment.resolve(m.popText(), name));
  },
  0x52: (m) => {
    // REDUCE
    const args = m.pop();
    m.reduce(m.pop(), args);
  },
  0x81: (m) => {
    // NEWOBJ
    const args = m.pop();
    m.reduce(m.pop(), args);
  },
  0x92: (m) => {
    // NEWOBJ_EX
    const named = m.pop();
    if (!(named instanceof PickleDict) || named.size > 0) m.fail(`makes an object with named arguments`);
    const args = m.pop();
    m.reduce(m.pop(), args);
  },
  0x62: (m) => {
    // BUILD
    const state = m.pop();
    m.environment.build(m.top(), state);
  },
  0x51: (m) => m.push(m.environment.persistent(m.pop())), // BINPERSID

  // Framing
  0x80: (m) => {
    // PROTO
    const protocol = m.cursor.u8();
    if (protocol > 5) m.fail(`asks for pickle protocol ${protocol}; 5 is the newest known`);
  },
  0x95: (m) => void m.cursor.u64(), // FRAME: a hint for reading ahead
};
