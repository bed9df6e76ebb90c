import { expect, test } from 'vitest';
import { adaptiveAvgPool2d, argmax, resizeArgmax, resizeBilinear } from '../src/ops/index.js';
import { compute, expectTensor, forEveryDevice, random } from './support.js';

await forEveryDevice((device) => {
  test('resizeBilinear samples pixel centres', async () => {
    const x = device.tensor([0, 4], [1, 1, 2, 1]);
    await expectTensor(resizeBilinear(x, [1, 4]), [1, 1, 4, 1], [0, 1, 3, 4]);
    await expectTensor(resizeBilinear(x, [3, 1]), [1, 3, 1, 1], [2, 2, 2]);
    const column = device.tensor([0, 10, 20, 30], [1, 4, 1, 1]);
    await expectTensor(resizeBilinear(column, [2, 2]), [1, 2, 2, 1], [5, 5, 25, 25]);
    await expectTensor(resizeBilinear(column, [4, 1]), [1, 4, 1, 1], [0, 10, 20, 30]);
  });

  test('resizeBilinear mixes both axes and keeps channels and images apart', async () => {
    const x = device.tensor([0, 100, 4, 104, 8, 108, 12, 112, 1, 1, 1, 1, 1, 1, 1, 1], [2, 2, 2, 2]);
    const one = [0, 1, 3, 4, 2, 3, 5, 6, 6, 7, 9, 10, 8, 9, 11, 12].flatMap((v) => [v, v + 100]);
    await expectTensor(resizeBilinear(x, [4, 4]), [2, 4, 4, 2], [...one, ...Array.from({ length: 32 }, () => 1)]);
  });

  test('adaptiveAvgPool2d windows may overlap', async () => {
    const x = device.tensor([1, 2, 3, 4, 5], [1, 1, 5, 1]);
    await expectTensor(adaptiveAvgPool2d(x, [1, 2]), [1, 1, 2, 1], [2, 4]);
    await expectTensor(adaptiveAvgPool2d(x, [1, 3]), [1, 1, 3, 1], [1.5, 3, 4.5]);
    await expectTensor(adaptiveAvgPool2d(x, [2, 1]), [1, 2, 1, 1], [3, 3]);
    await expectTensor(
      adaptiveAvgPool2d(device.tensor([3, 7], [1, 1, 2, 1]), 4),
      [1, 4, 4, 1],
      [3, 3, 7, 7, 3, 3, 7, 7, 3, 3, 7, 7, 3, 3, 7, 7],
    );
    const image = device.tensor([1, 10, 2, 20, 3, 30, 6, 60], [1, 2, 2, 2]);
    await expectTensor(adaptiveAvgPool2d(image, 1), [1, 1, 1, 2], [3, 30]);
  });

  test('resizeArgmax labels pixels without a tie as the steps do', async () => {
    const x = random([2, 5, 7, 19], { seed: 3 });
    for (const [size, through] of [
      [[5, 7], undefined],
      [[11, 13], undefined],
      [
        [9, 8],
        [20, 28],
      ],
      [
        [23, 31],
        [10, 14],
      ],
      [
        [3, 2],
        [4, 4],
      ],
    ] as const) {
      const fused = await compute(device, { x }, ({ x: logits }) => resizeArgmax(logits, size, through));
      const steps = await compute(device, { x }, ({ x: logits }) =>
        argmax(resizeBilinear(through ? resizeBilinear(logits, through) : logits, size)),
      );
      expect(fused.shape).toEqual([2, ...size]);
      expect(fused.data).toEqual(steps.data);
    }
  });

  test('resizeArgmax gives the lowest index of ties, in the smallest dtype', async () => {
    const flat = resizeArgmax(device.tensor(new Float32Array(2 * 3 * 5), [1, 2, 3, 5]), [4, 4], [3, 5]);
    expect(flat.dtype).toBe('u8');
    await expectTensor(flat, [1, 4, 4], new Array<number>(16).fill(0));
    const classes = 300;
    const logits = new Float32Array(2 * classes);
    logits[299] = 1;
    logits[classes + 255] = 1;
    const wide = resizeArgmax(device.tensor(logits, [1, 1, 2, classes]), [1, 4]);
    expect(wide.dtype).toBe('i32');
    await expectTensor(wide, [1, 1, 4], [299, 299, 255, 255]);
    const many = resizeArgmax(device.tensor(logits.subarray(0, 512), [1, 1, 2, 256]), [1, 1]);
    expect(many.dtype).toBe('u8');
    await expectTensor(many, [1, 1, 1], [43]);
    const single = resizeArgmax(device.tensor([1, 2, 3, 4], [1, 2, 2, 1]), [3, 3]);
    await expectTensor(single, [1, 3, 3], new Array<number>(9).fill(0));
  });
});
