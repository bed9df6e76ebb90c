/** The GPU device's machinery, apart from its kernels: queue, memory, compilation, limits, loss. */
import { expect } from 'vitest';
import { defineShader, gpuScratch, linearGrid, read, write, type WebGpuStep } from '../src/backends/webgpu/program.js';
import { linearBuiltins, linearInvocation, storage, uniformBlock } from '../src/backends/webgpu/wgsl.js';
import { createDevice } from '../src/create-device.js';
import { DeviceLostError, DisposedError, KernelFailedError, LimitExceededError } from '../src/errors.js';
import { defineKernel, type Slot } from '../src/kernel.js';
import { add, relu } from '../src/ops/index.js';
import { ownGpuDevice } from '../src/testing/index.js';
import { dawnWithFlags } from '../src/testing/node.js';
import { gpuTest, openGpu } from './gpu-support.js';

const params = uniformBlock({ count: 'u32', value: 'f32' });
const fillShader = defineShader(
  'test fill',
  () => `${storage(['read_write', 'y', 'array<f32>'])}
${params.wgsl}
@compute @workgroup_size(64)
fn main(${linearBuiltins}) {
  let i = ${linearInvocation(64)};
  if (i < params.count) {
    y[i] = params.value;
  }
}`,
);
const machine = { maxWorkgroupsPerDimension: 65535 } as Parameters<typeof linearGrid>[1];
const fillStep = (
  y: WebGpuStep['bindings'][number]['resource'],
  count: number,
  value: number,
  most = machine,
): WebGpuStep => ({
  shader: fillShader({}),
  bindings: [write(y)],
  uniforms: params.words({ count, value }),
  workgroups: linearGrid(Math.ceil(count / 64), most),
});

/** Fills y, after filling scratch memory. */
const fill = defineKernel<object, { y: Slot }, { value: number; before?: number }>('test fill', {
  webgpu: (_, { y }, { value, before = 0 }) => {
    const length = y.shape[0]!;
    const space = gpuScratch(length * 4);
    return [...Array.from({ length: before }, () => fillStep(space, length, -1)), fillStep(y, length, value)];
  },
});

gpuTest('runs every step in order, over many batches and more uniform words than there is room for', async () => {
  const device = await openGpu();
  const y = device.empty([300]);
  const z = device.empty([300]);
  for (let value = 1; value <= 5000; value++) {
    device.enqueue(fill, { inputs: {}, outputs: { y: value % 2 ? y : z }, params: { value } });
  }
  expect((await y.readFloat32()).every((v) => v === 4999)).toBe(true);
  expect((await z.readFloat32()).every((v) => v === 5000)).toBe(true);
});

gpuTest('host writes never land in buffers that waiting commands use', async () => {
  const device = await openGpu();
  const reads: Promise<Float32Array>[] = [];
  for (let i = 0; i < 40; i++) {
    const y = device.empty([5000]);
    device.enqueue(fill, { inputs: {}, outputs: { y }, params: { value: i, before: 3 } });
    const z = relu(y);
    y.dispose();
    const uploaded = device.tensor(new Float32Array(5000).fill(1000 + i));
    reads.push(z.readFloat32(), uploaded.readFloat32());
    uploaded.dispose();
    z.dispose();
  }
  const results = await Promise.all(reads);
  results.forEach((data, i) => {
    const expected = i % 2 ? 1000 + (i - 1) / 2 : i / 2;
    expect(data.every((v) => v === expected)).toBe(true);
  });
  expect(device.memory()).toMatchObject({ tensors: 0, used: 0 });
});

gpuTest('memory is reused: many rounds do not grow it', async () => {
  const device = await openGpu();
  const round = async (): Promise<void> => {
    const x = device.tensor(new Float32Array(3000).fill(1));
    const y = device.empty([3000]);
    device.enqueue(fill, { inputs: {}, outputs: { y }, params: { value: 7, before: 2 } });
    const z = add(x, y);
    expect((await z.readFloat32())[2999]).toBe(8);
    for (const tensor of [x, y, z]) tensor.dispose();
  };
  for (let i = 0; i < 10; i++) await round();
  const { reserved } = device.memory();
  for (let i = 0; i < 1000; i++) await round();
  expect(device.memory()).toEqual({ tensors: 0, used: 0, reserved });
});

/** Writes the first elements. */
const touch = defineKernel<object, { y: Slot }, object>('test touch', {
  webgpu: (_, { y }) => [fillStep(y, 64, 1)],
});

gpuTest('buffers of sizes that are no longer used are given back', async () => {
  const device = await openGpu();
  for (let i = 0; i < 60; i++) {
    const y = device.empty([1_000_000 + i * 200_000]);
    device.enqueue(touch, { inputs: {}, outputs: { y }, params: {} });
    y.dispose();
    await device.finish();
  }
  // The largest is 51 MB; all of them together are more than a gigabyte.
  expect(device.memory().used).toBe(0);
  expect(device.memory().reserved).toBeLessThan(200e6);
});

gpuTest('a prepared form is made once, kept with its tensor and freed with it', async () => {
  const device = await openGpu();
  const usesPrepared = defineKernel<{ w: Slot }, { y: Slot }, object>('test prepared', {
    webgpu: ({ w }, { y }) => {
      const prepared = {
        kind: 'prepared',
        of: w,
        key: 'twice',
        bytes: 4096,
        fill: (target: WebGpuStep['bindings'][number]['resource']) => [copyStep(w, target, 1024)],
      } as const;
      return [copyStep(prepared, y, 16)];
    },
  });
  for (const residence of ['device', 'host'] as const) {
    const before = device.memory().used;
    const w = device.tensor(new Float32Array(1 << 16).fill(5), [1 << 16], { residence });
    const y = device.empty([16]);
    const entries = await device.trace(() => {
      for (let i = 0; i < 5; i++) device.enqueue(usesPrepared, { inputs: { w }, outputs: { y }, params: {} });
    });
    // The first call fills the form.
    expect(entries.map(({ steps }) => steps.length)).toEqual([2, 1, 1, 1, 1]);
    expect(device.memory().used - before).toBe(4096 + 256 + (residence === 'device' ? 4 << 16 : 0));
    expect((await y.readFloat32()).every((v) => v === 5)).toBe(true);
    expect((await w.readFloat32()).every((v) => v === 5)).toBe(true);
    w.dispose();
    y.dispose();
    expect(device.memory().used).toBe(before);
  }
});

const copyShader = defineShader(
  'test copy',
  () => `${storage(['read', 'x', 'array<f32>'], ['read_write', 'y', 'array<f32>'])}
@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) place: vec3<u32>) {
  y[place.x] = x[place.x];
}`,
);
function copyStep(
  x: WebGpuStep['bindings'][number]['resource'],
  y: WebGpuStep['bindings'][number]['resource'],
  length: number,
): WebGpuStep {
  return { shader: copyShader({}), bindings: [read(x), write(y)], workgroups: [length / 16, 1, 1] };
}

gpuTest('a folded grid reaches every element', async () => {
  const device = await openGpu();
  const folded = defineKernel<object, { y: Slot }, object>('test folded', {
    webgpu: (_, { y }) => [fillStep(y, 10_000, 3, { ...machine, maxWorkgroupsPerDimension: 7 * 8 })],
  });
  const y = device.tensor(new Float32Array(10_000));
  device.enqueue(folded, { inputs: {}, outputs: { y }, params: {} });
  expect((await y.readFloat32()).every((v) => v === 3)).toBe(true);
});

gpuTest('a shader that does not compile fails its reader with the reason, and the device goes on', async () => {
  const device = await openGpu();
  const broken = defineKernel<object, { y: Slot }, object>('broken', {
    webgpu: (_, { y }) => [
      {
        shader: defineShader(
          'broken shader',
          () => '@compute @workgroup_size(1) fn main() { let x: nothing = 1; }',
        )({}),
        bindings: [write(y)],
        workgroups: [1, 1, 1],
      },
    ],
  });
  const y = device.empty([4]);
  device.enqueue(broken, { inputs: {}, outputs: { y }, params: {} });
  const failed = await y.read().catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(KernelFailedError);
  expect(String(failed)).toMatch(/'broken shader' failed: .*nothing/s);
  device.enqueue(fill, { inputs: {}, outputs: { y }, params: { value: 9 } });
  expect([...(await y.readFloat32())]).toEqual([9, 9, 9, 9]);
});

gpuTest('a kernel without an implementation, and a step that cannot run, are named', async () => {
  const device = await openGpu();
  const nowhere = defineKernel<object, { y: Slot }, object>('nowhere', {});
  const y = device.empty([4]);
  expect(() => device.enqueue(nowhere, { inputs: {}, outputs: { y }, params: {} })).toThrow(
    "kernel 'nowhere' has no implementation for device 'webgpu'",
  );
  const wrong = defineKernel<object, { y: Slot }, object>('wrong', {
    webgpu: (_, outputs) => [{ ...fillStep(outputs.y, 1, 1), workgroups: [0, 1, 1] }],
  });
  const z = device.empty([4]);
  expect(() => device.enqueue(wrong, { inputs: {}, outputs: { y: z }, params: {} })).toThrow(
    /step that cannot run: shader 'test fill' .* 0×1×1 workgroups/,
  );
});

gpuTest('a request beyond the limit is refused with the figures, before anything is allocated', async () => {
  const device = await openGpu();
  const before = device.memory();
  let refused: unknown;
  try {
    device.empty([2 ** 30, 2 ** 3]);
  } catch (error) {
    refused = error;
  }
  expect(refused).toBeInstanceOf(LimitExceededError);
  // The smaller of the two limits that a buffer has to keep.
  const { limit, have } = refused as LimitExceededError;
  expect(refused).toMatchObject({ need: 2 ** 35 });
  expect(String(refused)).toContain(`${limit}: this needs 34359738368, and the device has ${have};`);
  expect(['maxStorageBufferBindingSize', 'maxBufferSize']).toContain(limit);
  expect(device.memory()).toMatchObject({ tensors: 0, used: before.used });
});

gpuTest("works within WebGPU's default limits on a device of the caller's, and leaves it to the caller", async () => {
  const gpuDevice = await ownGpuDevice();
  let lost = false;
  void gpuDevice.lost.then(() => {
    lost = true;
  });
  const device = await openGpu({ gpuDevice });
  expect(device.selection).toMatch(/^webgpu: the caller's device, /);
  expect(() => device.empty([2 ** 25 + 1])).toThrow(LimitExceededError);
  using x = device.tensor([1, -2, 3]);
  using y = relu(x);
  expect([...(await y.readFloat32())]).toEqual([1, 0, 3]);
  device.dispose();
  await gpuDevice.queue.onSubmittedWorkDone();
  expect(lost).toBe(false);
  gpuDevice.createBuffer({ size: 4, usage: 8 }).destroy();
  gpuDevice.destroy();
});

gpuTest(
  'when the GPU is lost, what is pending rejects at once, later calls say what to do, a new device works',
  async () => {
    const gpuDevice = await ownGpuDevice();
    const device = await openGpu({ gpuDevice });
    const y = device.empty([1000]);
    for (let value = 0; value < 200; value++) {
      device.enqueue(fill, { inputs: {}, outputs: { y }, params: { value, before: 2 } });
    }
    const pending = [y.read(), device.finish(), y.readFloat32()].map((p) => p.catch((error: unknown) => error));
    gpuDevice.destroy();
    for (const error of await Promise.all(pending)) expect(error).toBeInstanceOf(DeviceLostError);
    expect(() => relu(y)).toThrow(/the webgpu device was lost \(.+\).*make a new device with createDevice/);
    expect(() => device.tensor([1])).toThrow(DeviceLostError);
    await expect(y.read()).rejects.toThrow(DeviceLostError);
    const next = await openGpu();
    expect([...(await relu(next.tensor([-1, 4])).read())]).toEqual([0, 4]);
  },
);

gpuTest('disposing of the device rejects what is pending', async () => {
  const device = await openGpu();
  const y = device.empty([1000]);
  device.enqueue(fill, { inputs: {}, outputs: { y }, params: { value: 1, before: 60 } });
  const pending = y.read().catch((error: unknown) => error);
  device.dispose();
  device.dispose();
  expect(await pending).toBeInstanceOf(DisposedError);
  expect(() => device.empty([1])).toThrow(/the webgpu device was disposed of/);
});

gpuTest('two devices work side by side', async () => {
  const [a, b] = [await openGpu(), await openGpu()];
  const x = a.tensor([-1, 2]);
  const y = b.tensor([-3, 4]);
  const results = [relu(x), relu(y)];
  a.dispose();
  expect([...(await results[1]!.read())]).toEqual([0, 4]);
});

gpuTest('a trace times every step, with and without timestamps of the GPU', async () => {
  for (const timestamps of [true, false]) {
    const gpuDevice = await ownGpuDevice(timestamps ? ['timestamp-query'] : []);
    const device = await openGpu({ gpuDevice });
    const y = device.empty([50_000]);
    const entries = await device.trace(async () => {
      for (let i = 0; i < 3; i++) {
        device.enqueue(fill, { inputs: {}, outputs: { y }, params: { value: i, before: 2 } });
        const z = relu(y);
        await z.read();
        z.dispose();
      }
    });
    expect(entries.map(({ kernel, steps }) => [kernel, steps.map(({ step }) => step)])).toEqual(
      Array.from({ length: 3 }, () => [
        ['test fill', ['test fill', 'test fill', 'test fill']],
        ['unary', ['unary']],
      ]).flat(),
    );
    const times = entries.map(({ milliseconds }) => milliseconds);
    expect(times.every((ms) => ms >= 0 && ms < 10_000)).toBe(true);
    expect(Math.max(...times)).toBeGreaterThan(0);
    device.dispose();
    gpuDevice.destroy();
  }
});

gpuTest('the selection says which GPU it is; auto does not take a software rasteriser', async () => {
  const device = await openGpu();
  expect(device.selection).toMatch(/^webgpu: .+ \(.*f16, .*subgroups\)$/);
  const gpu = await dawnWithFlags();
  using auto = await createDevice('auto', { threads: 0, ...(gpu && { gpu }) });
  if (device.selection.includes('software rasteriser')) {
    expect(auto.selection).toMatch(/^wasm: .*there is no GPU, only .*software rasteriser/);
  } else expect(auto.name).toBe('webgpu');
});

gpuTest('a program that needs too much memory is refused before its first step runs', async () => {
  const device = await openGpu();
  const huge = { kind: 'scratch', bytes: 2 ** 36 } as const;
  const greedy = defineKernel<{ x: Slot }, { y: Slot }, { which: 'scratch' | 'prepared' }>('greedy', {
    webgpu: ({ x }, { y }, { which }) => {
      const prepared = { kind: 'prepared', of: x, key: 'huge', bytes: 2 ** 36, fill: () => [] } as const;
      return [fillStep(y, 64, 9), copyStep(which === 'scratch' ? huge : prepared, y, 16)];
    },
  });
  const x = device.tensor(new Float32Array(64));
  const [y, z] = [device.empty([64]), device.empty([64])];
  const { used, reserved } = device.memory();
  for (const [output, which] of [[y, 'scratch'] as const, [z, 'prepared'] as const]) {
    expect(() => device.enqueue(greedy, { inputs: { x }, outputs: { y: output }, params: { which } })).toThrow(
      /max\w*Size: this needs 68719476736, and the device has \d+;/,
    );
  }
  // The outputs of a kernel that never ran are given back.
  expect(device.memory()).toEqual({ tensors: 1, used: used - 2 * 256, reserved });
});
