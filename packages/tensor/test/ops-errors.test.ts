/** What operators refuse, and how they say it. Checks come before any device, so the oracle stands for all. */
import { expect, test } from 'vitest';
import { createDevice } from '../src/create-device.js';
import { DisposedError, DTypeError, IIError, ShapeError } from '../src/errors.js';
import * as ops from '../src/ops/index.js';
import { scope } from '../src/scope.js';

const device = await createDevice('reference');
const zeros = (...shape: number[]) => device.empty(shape);
const bytes = (...shape: number[]) => device.empty(shape, 'u8');

type Case = readonly [title: string, run: () => unknown, error: new (...args: never[]) => IIError, message: RegExp];

const cases: readonly Case[] = [
  ['a dtype that is not f32', () => ops.relu(bytes(2)), DTypeError, /relu: expected f32, got u8; use cast\(\)/],
  ['bytes in an addition', () => ops.add(zeros(2), bytes(2)), DTypeError, /add b: expected f32, got u8/],
  ['bytes in a reduction', () => ops.sum(bytes(2)), DTypeError, /sum: expected f32, got u8/],
  ['half-precision weights', () => ops.linear(zeros(2, 3), device.empty([4, 3], 'f16')), DTypeError, /linear weight/],
  [
    'shapes that do not broadcast',
    () => ops.mul(zeros(2, 3), zeros(2)),
    ShapeError,
    /mul: shapes \[2, 3\] and \[2\].*3 against 2/,
  ],
  [
    'addScaled of two shapes',
    () => ops.addScaled(zeros(2, 3), zeros(3), zeros(3)),
    ShapeError,
    /\[2, 3\] and \[3\] differ/,
  ],
  [
    'a layer scale of another size',
    () => ops.addScaled(zeros(2, 3), zeros(2, 3), zeros(2)),
    ShapeError,
    /expected shape \[3\], got \[2\]/,
  ],
  [
    'conv2d of a matrix',
    () => ops.conv2d(zeros(2, 3), zeros(1, 1, 1, 1)),
    ShapeError,
    /conv2d x: expected a tensor \[N, H, W, C\], got shape \[2, 3\]/,
  ],
  [
    'conv2d weights of another depth',
    () => ops.conv2d(zeros(1, 4, 4, 3), zeros(8, 2, 1, 1)),
    ShapeError,
    /weight \[8, 2, 1, 1\] with groups 1 does not fit x \[1, 4, 4, 3\]/,
  ],
  [
    'outputs that do not divide into groups',
    () => ops.conv2d(zeros(1, 4, 4, 4), zeros(3, 2, 1, 1), { groups: 2 }),
    ShapeError,
    /O divisible by groups/,
  ],
  [
    'a kernel larger than the image',
    () => ops.conv2d(zeros(1, 2, 9, 1), zeros(1, 1, 3, 3)),
    ShapeError,
    /3×3 kernel .* input of 2×9 with padding 0×0/,
  ],
  [
    'a stride of [0, 1]',
    () => ops.conv2d(zeros(1, 4, 4, 2), zeros(2, 2, 1, 1), { stride: [0, 1] }),
    ShapeError,
    /conv2d: stride must be an integer of at least 1, got 0×1/,
  ],
  [
    'a padding of 0.5',
    () => ops.conv2d(zeros(1, 4, 4, 2), zeros(2, 2, 1, 1), { padding: 0.5 }),
    ShapeError,
    /conv2d: padding must be an integer of at least 0, got 0\.5×0\.5/,
  ],
  [
    'a dilation of 0',
    () => ops.conv2d(zeros(1, 4, 4, 2), zeros(2, 2, 1, 1), { dilation: 0 }),
    ShapeError,
    /conv2d: dilation must be an integer of at least 1, got 0×0/,
  ],
  [
    'a groups of 1.5',
    () => ops.conv2d(zeros(1, 4, 4, 2), zeros(2, 2, 1, 1), { groups: 1.5 }),
    ShapeError,
    /conv2d: groups must be an integer of at least 1, got 1\.5/,
  ],
  [
    'a bias of another size',
    () => ops.conv2d(zeros(1, 4, 4, 3), zeros(8, 3, 1, 1), { bias: zeros(3) }),
    ShapeError,
    /conv2d bias: expected shape \[8\], got \[3\]/,
  ],
  [
    'a residual of another shape',
    () => ops.linear(zeros(2, 3), zeros(4, 3), { residual: zeros(4) }),
    ShapeError,
    /linear residual: expected shape \[2, 4\], got \[4\]/,
  ],
  [
    'linear of another depth',
    () => ops.linear(zeros(2, 3), zeros(4, 5)),
    ShapeError,
    /x \[2, 3\] must end in K = 5 of weight \[4, 5\]/,
  ],
  ['linear of a scalar', () => ops.linear(zeros(), zeros(4, 1)), ShapeError, /must end in K = 1/],
  [
    'matmul of a vector',
    () => ops.matmul(zeros(3), zeros(3, 2)),
    ShapeError,
    /needs matrices, got shapes \[3\] and \[3, 2\]/,
  ],
  [
    'matmul of another depth',
    () => ops.matmul(zeros(2, 3), zeros(2, 3)),
    ShapeError,
    /inner sizes differ: 3 of \[2, 3\] against 2/,
  ],
  [
    'matmul of other batches',
    () => ops.matmul(zeros(2, 1, 1), zeros(3, 1, 1)),
    ShapeError,
    /matmul: shapes \[2\] and \[3\]/,
  ],
  [
    'a norm weight of another size',
    () => ops.layerNorm(zeros(2, 3), { weight: zeros(2) }),
    ShapeError,
    /layerNorm weight: expected shape \[3\]/,
  ],
  ['a norm of a scalar', () => ops.layerNorm(zeros()), ShapeError, /at least one axis/],
  [
    'batch statistics of another size',
    () => ops.batchNorm(zeros(2, 3), { mean: zeros(2), variance: zeros(2) }),
    ShapeError,
    /batchNorm mean: expected shape \[3\], got \[2\]/,
  ],
  [
    'an axis out of range',
    () => ops.softmax(zeros(2, 3), 2),
    ShapeError,
    /softmax: axis 2 is out of range for a tensor of rank 2/,
  ],
  ['a fractional axis', () => ops.argmax(zeros(2, 3), 0.5), ShapeError, /axis 0.5/],
  ['a repeated axis', () => ops.sum(zeros(2, 3), { axes: [1, -1] }), ShapeError, /repeat an axis/],
  ['a maximum over nothing', () => ops.max(zeros(2, 0), { axes: 1 }), ShapeError, /no value over an axis of size 0/],
  ['the largest index of nothing', () => ops.argmax(zeros(0)), ShapeError, /no value over an axis of size 0/],
  ['reshape to another size', () => ops.reshape(zeros(2, 3), [4]), ShapeError, /\[2, 3\] has 6 elements, \[4\]/],
  ['reshape that does not divide', () => ops.reshape(zeros(2, 3), [4, -1]), ShapeError, /not valid/],
  ['reshape with two sizes to fill in', () => ops.reshape(zeros(2, 3), [-1, -1]), ShapeError, /not valid/],
  [
    'permute with an axis missing',
    () => ops.permute(zeros(2, 3), [1]),
    ShapeError,
    /1 axes given for a tensor of rank 2/,
  ],
  ['permute with an axis twice', () => ops.permute(zeros(2, 3), [1, 1]), ShapeError, /repeat an axis/],
  [
    'slice past the end',
    () => ops.slice(zeros(2, 3), [0, 1], [2, 4]),
    ShapeError,
    /range 1 to 4 is outside axis 1 of \[2, 3\]/,
  ],
  ['slice of more axes', () => ops.slice(zeros(2), [0, 0]), ShapeError, /more positions than axes/],
  ['concat of nothing', () => ops.concat([]), ShapeError, /at least one tensor/],
  [
    'concat of other shapes',
    () => ops.concat([zeros(2, 3), zeros(3, 3)], 1),
    ShapeError,
    /\[2, 3\] and \[3, 3\] differ outside axis 1/,
  ],
  ['concat of two dtypes', () => ops.concat([zeros(2), bytes(2)]), DTypeError, /dtypes f32 and u8 differ/],
  ['pad of fewer axes', () => ops.pad(zeros(2, 3), [[1, 1]]), ShapeError, /1 widths given for a tensor of rank 2/],
  ['pad by less than nothing', () => ops.pad(zeros(2), [[-1, 0]]), ShapeError, /use slice\(\) to crop/],
  [
    'resize to nothing',
    () => ops.resizeBilinear(zeros(1, 2, 2, 1), [0, 2]),
    ShapeError,
    /cannot go from \[1, 2, 2, 1\] to 0×2/,
  ],
  ['resize of a matrix', () => ops.resizeBilinear(zeros(2, 2), [2, 2]), ShapeError, /expected a tensor \[N, H, W, C\]/],
  [
    'pooling of an empty map',
    () => ops.adaptiveAvgPool2d(zeros(1, 0, 2, 1), 1),
    ShapeError,
    /cannot go from \[1, 0, 2, 1\]/,
  ],
  ['labels of a fractional size', () => ops.resizeArgmax(zeros(1, 2, 2, 3), [1.5, 2]), ShapeError, /to 1.5×2/],
];

for (const [title, run, error, message] of cases) {
  test(`refuses ${title}`, () => {
    scope(() => {
      expect(run).toThrow(error);
      expect(run).toThrow(message);
      expect(run).toThrow(IIError);
    });
  });
}

test('every refusal is an IIError with a stable code', () => {
  scope(() => {
    for (const [title, run] of cases) {
      try {
        run();
        expect.unreachable(title);
      } catch (caught) {
        expect(caught, title).toBeInstanceOf(IIError);
        expect((caught as IIError).code).toMatch(/^ERR_(SHAPE|DTYPE)$/);
      }
    }
  });
});

test('operators refuse disposed tensors', () => {
  scope(() => {
    const x = zeros(1, 2, 2, 3);
    x.dispose();
    expect(() => ops.relu(x)).toThrow(DisposedError);
    expect(() => ops.add(zeros(3), x)).toThrow(/f32 tensor of shape \[1, 2, 2, 3\] was disposed of/);
    expect(() => ops.conv2d(x, zeros(1, 3, 1, 1))).toThrow(DisposedError);
    expect(() => ops.linear(zeros(1, 3), zeros(2, 3), { bias: disposed(2) })).toThrow(DisposedError);
    expect(() => ops.concat([zeros(1), disposed(1)])).toThrow(DisposedError);
  });
});

function disposed(...shape: number[]) {
  const x = zeros(...shape);
  x.dispose();
  return x;
}
