import { FormatError } from '@ii/tensor';
import { describe, expect, it } from 'vitest';
import { buildState, resolveGlobal } from '../../src/pth/globals.js';
import { PickleEndError } from '../../src/pth/pickle-cursor.js';
import { NumpyArray, OpaqueValue, PickleNamespace, type PickleValue } from '../../src/pth/index.js';
import { plainValue } from '../../src/pth/plain-value.js';
import { unpickle } from '../../src/pth/unpickle.js';
import { build, call, construct, dict, global, integer, list, none, pickle, text, tuple, yes, no } from './builder.js';
import { pythonPickles } from './python-pickles.js';

const environment = {
  resolve: resolveGlobal,
  build: buildState,
  persistent: () => {
    throw new FormatError('no storages here');
  },
};
const load = (bytes: Uint8Array): PickleValue => unpickle(bytes, environment).value;

/** What Python's own pickler wrote, in base64. */
const base64 = (data: string) => load(new Uint8Array(Buffer.from(data, 'base64')));

/** Opcodes as text, ended by STOP. */
const opcodes = (code: string) => load(new Uint8Array(Buffer.from(`${code}.`, 'latin1')));

describe('unpickle', () => {
  it.each(pythonPickles)('reads %s as Python wrote it with each protocol', (_, expected, pickles) => {
    for (const data of pickles) expect(plainValue(base64(data))).toEqual(expected);
  });

  it('keeps integers exact', () => {
    expect(load(pickle(integer(2 ** 53 - 1)))).toBe(2 ** 53 - 1);
    expect(load(pickle(integer(-(2n ** 53n) - 1n)))).toBe(-(2n ** 53n) - 1n);
    expect(opcodes('J\xff\xff\xff\xff')).toBe(-1);
    expect(opcodes('\x8a\x00')).toBe(0);
    expect(opcodes('L-9007199254740993L\n')).toBe(-9007199254740993n);
    expect(opcodes('I01\n')).toBe(true);
    expect(opcodes('I1\n')).toBe(1);
  });

  it('shares what the memo shares, and lists may hold themselves', () => {
    const [first, second] = opcodes('(]q\x05h\x05t') as PickleValue[];
    expect(first).toBe(second);
    const cyclic = opcodes(']q\x00h\x00a') as PickleValue[];
    expect(cyclic[0]).toBe(cyclic);
    expect(JSON.stringify(plainValue(cyclic))).toContain('<nested too deep>');
  });

  it('shows a bomb of nested references only up to a limit', () => {
    // A list of ten times the list before, thirty times over: 10^30 values in 700 bytes.
    let code = ']q\x00K\x07a';
    for (let level = 1; level < 31; level++) {
      code += `]q${String.fromCharCode(level)}(${`h${String.fromCharCode(level - 1)}`.repeat(10)}e`;
    }
    expect(JSON.stringify(plainValue(opcodes(code))).length).toBeLessThan(10_000_000);
  });

  it('takes dict-like configurations as dicts', () => {
    const settings = dict([text('lr'), integer(3)]);
    const namespace = load(pickle(build(construct(global('argparse', 'Namespace')), settings)));
    expect(namespace).toBeInstanceOf(PickleNamespace);
    expect(plainValue(namespace)).toEqual({ lr: 3 });
    expect(plainValue(load(pickle(construct(global('yacs.config', 'CfgNode'), settings))))).toEqual({ lr: 3 });
    const ordered = build(call(global('collections', 'OrderedDict'), list(tuple(text('a'), none))), settings);
    expect(plainValue(load(pickle(ordered)))).toEqual({ a: null });
  });

  it('gives a name like __proto__ no power', () => {
    const value = plainValue(load(pickle(dict([text('__proto__'), dict([text('polluted'), yes])]))));
    expect(Object.keys(value as object)).toEqual(['__proto__']);
    expect(Object.prototype).not.toHaveProperty('polluted');
    expect(() => resolveGlobal('__proto__', 'constructor')).toThrow(/refused/);
    expect(() => resolveGlobal('torch', 'hasOwnProperty')).toThrow(/refused/);
  });

  it('reads numpy scalars and arrays, of either byte order', () => {
    const dtype = (code: string, order: string) =>
      build(
        call(global('numpy', 'dtype'), text(code), no, yes),
        tuple(integer(3), text(order), none, none, none, integer(-1), integer(-1), integer(0)),
      );
    const data = (latin1: string) => call(global('_codecs', 'encode'), text(latin1), text('latin1'));
    const scalar = (code: string, order: string, bytes: string) =>
      load(pickle(call(global('numpy.core.multiarray', 'scalar'), dtype(code, order), data(bytes))));
    expect(scalar('f8', '<', '\0\0\0\0\0\0\xf0\x3f')).toBe(1);
    expect(scalar('f8', '>', '\x3f\xf0\0\0\0\0\0\0')).toBe(1);
    expect(scalar('i4', '<', '\xfe\xff\xff\xff')).toBe(-2);
    expect(scalar('b1', '|', '\x01')).toBe(true);
    expect(() => scalar('f8', '<', '\0')).toThrow(/numpy\.dtype f8 \[\] with 1 bytes/);

    const array = (module: string, shape: number[], bytes: string) =>
      load(
        pickle(
          build(
            call(
              global(`${module}.multiarray`, '_reconstruct'),
              global('numpy', 'ndarray'),
              tuple(integer(0)),
              data('b'),
            ),
            tuple(integer(1), tuple(...shape.map(integer)), dtype('i2', '<'), no, data(bytes)),
          ),
        ),
      );
    const made = array('numpy._core', [2, 2], '\x01\0\x02\0\x03\0\xff\xff');
    expect(made).toBeInstanceOf(NumpyArray);
    expect(made).toMatchObject({ shape: [2, 2], elements: [1, 2, 3, -1] });
    expect(plainValue(made)).toEqual([1, 2, 3, -1]);
    expect(() => array('numpy.core', [2 ** 40, 2 ** 40], '')).toThrow(FormatError);
    expect(() => array('numpy.core', [-1], '')).toThrow(FormatError);
  });

  it('keeps what has no form here as opaque', () => {
    const device = load(pickle(call(global('torch', 'device'), text('cuda'), integer(0))));
    expect(device).toBeInstanceOf(OpaqueValue);
    expect(plainValue(device)).toBe('<torch.device>');
    expect(plainValue(load(pickle(global('torch', 'float32'))))).toBe('<torch.float32>');
    expect(plainValue(load(pickle(call(global('torch', 'Size'), tuple(integer(3), integer(4))))))).toEqual([3, 4]);
    expect(plainValue(load(pickle(dict([integer(7), integer(2n ** 60n)]))))).toEqual({ 7: '1152921504606846976' });
  });

  it.each([
    ['posix', 'system', /function 'posix\.system'/],
    ['builtins', 'eval', /function 'builtins\.eval'/],
    ['builtins', 'getattr', /function 'builtins\.getattr'/],
    ['builtins', '__import__', /function 'builtins\.__import__'/],
    ['subprocess', 'Popen', /Python class 'subprocess\.Popen'/],
    ['collections', 'OrderedDict.__init__', /function 'collections\.OrderedDict\.__init__'/],
    ['torch.nn.modules.conv', 'Conv2d', /Python class 'torch\.nn\.modules\.conv\.Conv2d'.*state_dict/],
    ['torch', 'load', /function 'torch\.load'/],
    ['torch', 'ComplexFloatStorage', /'torch\.ComplexFloatStorage' stands for is not supported/],
    ['torch._utils', '_rebuild_sparse_tensor', /kind of tensor .* not supported/],
  ])('refuses %s.%s', (module, name, message) => {
    expect(() => load(pickle(global(module, name)))).toThrow(message);
  });

  it.each([
    ['a value from an empty stack', '\x80\x02', /takes a value from an empty stack/],
    ['an unknown opcode', '\xff', /byte 0 of the pickle, 0xff, is not an opcode/],
    ['an opcode that torch.save does not write', '(iposix\nsystem\n', /0x69, is not an opcode/],
    ['an extension', '\x82\x01', /0x82, is not an opcode/],
    ['a newer protocol', '\x80\x06', /protocol 6; 5 is the newest/],
    ['a memo that was never stored', 'h\x09', /refers to memo 9/],
    ['a mark that was never opened', 't', /closes a mark that was never opened/],
    ['a call of text', 'X\x01\0\0\0a)R', /calls the text "a", which cannot be called/],
    ['a call of a class that is only named', 'ctorch\nTensor\n)R', /calls torch\.Tensor, which cannot be called/],
    ['a key without a value', '(X\x01\0\0\0ad', /key without a value/],
    ['appending to a dict', '}Na', /appends to a dict of 0/],
    ['items of a list', ']NNs', /sets items of a list of 0/],
    ['a state for a list', ']Nb', /a state for a list of 0/],
    ['a giant integer', '\x8b\xff\xff\xff\x7f', /integer of 2147483647 bytes/],
    ['a decimal that is none', 'Iabc\n', /has the integer "abc"/],
    ['text that is not UTF-8', 'X\x01\0\0\0\xff', /text at byte 5 of the pickle is not UTF-8/],
    ['bytes beyond latin1', 'c_codecs\nencode\n(X\x03\0\0\0\xe2\x82\xacX\x06\0\0\0latin1tR', /beyond latin1/],
  ])('refuses %s', (_, code, message) => {
    expect(() => opcodes(code)).toThrow(message);
    expect(() => opcodes(code)).toThrow(FormatError);
  });

  it('does not believe a length before it sees the bytes', () => {
    for (const code of ['X\xff\xff\xff\xff', '\x8d\0\0\0\0\0\x01\0\0', '\x8e\0\0\0\0\0\0\x01\0', 'B\xff\xff\xff\xff']) {
      expect(() => opcodes(code)).toThrow(PickleEndError);
    }
    expect(() => opcodes(`\x8d${'\xff'.repeat(8)}`)).toThrow(/impossible length/);
    expect(() => load(new Uint8Array(3_000_000).fill(0x4e))).toThrow(/more than 2000000 opcodes/);
    expect(() => opcodes(`c${'a'.repeat(5000)}`)).toThrow(/longer than 4096 bytes/);
  });

  it('tells how many bytes it misses', () => {
    const bytes = pickle(text('hello'));
    for (let length = 0; length < bytes.length; length++) {
      const attempt = () => load(bytes.subarray(0, length));
      expect(attempt).toThrow(PickleEndError);
      expect(attempt).toThrow(/the pickle ends early/);
    }
    expect(unpickle(Uint8Array.from([...bytes, ...bytes]), environment, bytes.length).end).toBe(bytes.length * 2);
  });
});
