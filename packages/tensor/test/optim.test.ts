/** AdamW over groups, the norm of all gradients, and clipping, against plain loops in float64. */
import { afterAll, describe, expect, test } from 'vitest';
import {
  AdamW,
  FormatError,
  IIError,
  Module,
  Random,
  clipFactor,
  gradientNorm,
  init,
  type Device,
  type Parameter,
  type ParameterGroup,
} from '../src/index.js';
import { onEveryDevice, precisionOf, randomNumbers, tolerance } from '../src/testing/index.js';

/** Two matrices and a vector. */
class Net extends Module {
  readonly a = this.parameter('a', [5, 7], init.normal(1));
  readonly b = this.parameter('b', [300], init.normal(0.1));
  readonly c = this.parameter('c', [3], init.ones);
}

const SIZES = { a: 35, b: 300, c: 3 } as const;
type Name = keyof typeof SIZES;

function groupsOf({ a, b, c }: Net): ParameterGroup[] {
  return [
    { name: 'decay', parameters: new Map([['a', a]]), lrScale: 1, weightDecay: 0.05 },
    {
      name: 'no_decay',
      parameters: new Map<string, Parameter>([
        ['b', b],
        ['c', c],
      ]),
      lrScale: 0.5,
      weightDecay: 0,
    },
  ];
}

const gradientOf = (name: Name, step: number): Float32Array =>
  randomNumbers(SIZES[name], { seed: 100 * step + SIZES[name], low: -2, high: 2 });

function setGradients(net: Net, device: Device, step: number, names: readonly Name[] = ['a', 'b', 'c']): void {
  net.zeroGradients();
  for (const name of names) net[name].addGradient(device.tensor(gradientOf(name, step), net[name].shape));
}

/** PyTorch's AdamW in its own order of operations. */
function plainAdamW(
  start: Float64Array,
  gradients: readonly Float64Array[],
  lrs: readonly number[],
  weightDecay: number,
): Float64Array {
  const [p, m, v] = [start.slice(), new Float64Array(start.length), new Float64Array(start.length)];
  gradients.forEach((g, i) => {
    const lr = lrs[i]!;
    for (let k = 0; k < p.length; k++) {
      p[k]! *= 1 - lr * weightDecay;
      m[k] = 0.9 * m[k]! + 0.1 * g[k]!;
      v[k] = 0.999 * v[k]! + 0.001 * g[k]! ** 2;
      const denominator = Math.sqrt(v[k]!) / Math.sqrt(1 - 0.999 ** (i + 1)) + 1e-8;
      p[k]! -= (lr / (1 - 0.9 ** (i + 1))) * (m[k]! / denominator);
    }
  });
  return p;
}

const STEPS = 5;
const rateOf = (step: number): number => 0.01 * (1 - step / STEPS);

await onEveryDevice({ describe, test, afterAll }, (device) => {
  const bound = (): number => STEPS * tolerance('arithmetic', precisionOf(device)).relative;

  async function trained(run: (optimizer: AdamW, net: Net, step: number) => void): Promise<Record<Name, Float64Array>> {
    const net = new Net();
    net.initialize(device, 3);
    net.train({ random: new Random(0) });
    const optimizer = new AdamW(groupsOf(net));
    for (let step = 0; step < STEPS; step++) run(optimizer, net, step);
    const [a, b, c] = await Promise.all([net.a, net.b, net.c].map(({ tensor }) => tensor.readFloat64()));
    optimizer.dispose();
    net.dispose();
    return { a: a!, b: b!, c: c! };
  }

  async function startOf(name: Name): Promise<Float64Array> {
    const net = new Net();
    net.initialize(device, 3);
    const values = await net[name].tensor.readFloat64();
    net.dispose();
    return values;
  }

  function expectNear(found: Float64Array, expected: Float64Array): void {
    found.forEach((value, i) =>
      expect(Math.abs(value - expected[i]!)).toBeLessThan(bound() * (1 + Math.abs(expected[i]!))),
    );
  }

  test('steps as PyTorch does, with rates and decay by group', async () => {
    const found = await trained((optimizer, net, step) => {
      setGradients(net, device, step);
      optimizer.step([rateOf(step), rateOf(step) / 2]);
    });
    const steps = Array.from({ length: STEPS }, (_, i) => i);
    for (const name of ['a', 'b', 'c'] as const) {
      const gradients = steps.map((step) => Float64Array.from(gradientOf(name, step)));
      const rates = steps.map((step) => (name === 'a' ? rateOf(step) : rateOf(step) / 2));
      expectNear(found[name], plainAdamW(await startOf(name), gradients, rates, name === 'a' ? 0.05 : 0));
    }
  });

  test('counts the steps of each parameter by itself', async () => {
    const found = await trained((optimizer, net, step) => {
      // b has a gradient in the last two steps only.
      setGradients(net, device, step, step < 3 ? ['a', 'c'] : ['a', 'b', 'c']);
      optimizer.step([rateOf(step), rateOf(step)]);
    });
    const gradients = [3, 4].map((step) => Float64Array.from(gradientOf('b', step)));
    expectNear(found.b, plainAdamW(await startOf('b'), gradients, [rateOf(3), rateOf(4)], 0));
  });

  test('scales gradients by the clip factor without waiting', async () => {
    const clip = 0.1;
    const found = await trained((optimizer, net, step) => {
      setGradients(net, device, step);
      optimizer.step([rateOf(step), rateOf(step)], clipFactor(gradientNorm([net.a, net.b, net.c]), clip));
    });
    const gradients = Array.from({ length: STEPS }, (_, step) => {
      const all = (['a', 'b', 'c'] as const).map((name) => Float64Array.from(gradientOf(name, step)));
      const norm = Math.sqrt(all.reduce((sum, g) => sum + g.reduce((part, x) => part + x * x, 0), 0));
      return all[0]!.map((x) => x * Math.min(1, clip / (norm + 1e-6)));
    });
    expectNear(found.a, plainAdamW(await startOf('a'), gradients, [0, 1, 2, 3, 4].map(rateOf), 0.05));
  });

  test('measures the norm of all gradients together, and leaves small ones alone', async () => {
    const net = new Net();
    net.initialize(device, 3);
    setGradients(net, device, 0, ['a', 'c']);
    using norm = gradientNorm([net.a, net.b, net.c]);
    const values = [...gradientOf('a', 0), ...gradientOf('c', 0)];
    const expected = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
    const [found] = await norm.readFloat64();
    expect(Math.abs(found! / expected - 1)).toBeLessThan(tolerance('sum', precisionOf(device)).relative);
    using large = clipFactor(norm, 1e4);
    using small = clipFactor(norm, 1);
    expect(await large.readFloat64()).toEqual(Float64Array.of(1));
    expect(Math.abs((await small.readFloat64())[0]! - 1 / (expected + 1e-6))).toBeLessThan(1e-6);
    net.zeroGradients();
    expect(() => gradientNorm([net.a, net.b, net.c])).toThrow('no parameter has a gradient; call backward() first');
    net.dispose();
  });

  test('goes on from its state to the bit', async () => {
    const run = (optimizer: AdamW, net: Net, step: number): void => {
      setGradients(net, device, step);
      optimizer.step([rateOf(step), rateOf(step)]);
    };
    const whole = await trained(run);
    const net = new Net();
    net.initialize(device, 3);
    net.train({ random: new Random(0) });
    const first = new AdamW(groupsOf(net));
    for (let step = 0; step < 2; step++) run(first, net, step);
    const [state, values] = [new Map(first.stateDict()), new Map(net.stateDict())];
    expect([...state.keys()]).toEqual(['a', 'b', 'c'].flatMap((n) => [`exp_avg.${n}`, `exp_avg_sq.${n}`, `step.${n}`]));
    const other = new Net();
    await other.load(device, values);
    other.train({ random: new Random(0) });
    const second = new AdamW(groupsOf(other));
    await second.load(device, state);
    for (let step = 2; step < STEPS; step++) run(second, other, step);
    // The state is stored in f32; the oracle computes in f64.
    if (device.name !== 'reference') expect(await other.a.tensor.readFloat64()).toEqual(whole.a);
    else expectNear(await other.a.tensor.readFloat64(), whole.a);

    await expect(second.load(device, new Map([['exp_avg.z', state.get('exp_avg.a')!]]))).rejects.toThrow(
      "optimiser state 'exp_avg.z' belongs to no trainable parameter",
    );
    await expect(second.load(device, new Map([['exp_avg.b', state.get('exp_avg.a')!]]))).rejects.toThrow(FormatError);
    await expect(second.load(device, new Map([['exp_avg.a', state.get('exp_avg.a')!]]))).rejects.toThrow(
      "optimiser state of 'a' is incomplete",
    );
    for (const each of [first, second, net, other]) each.dispose();
  });

  test('refuses what makes no sense', () => {
    const groups = groupsOf(new Net());
    expect(() => new AdamW([...groups, groups[0]!])).toThrow("AdamW: parameter 'a' is in two groups");
    expect(() => new AdamW(groups, { beta1: 1 })).toThrow('beta1 must be in [0, 1), got 1');
    expect(() => new AdamW(groups, { eps: 0 })).toThrow(IIError);
    expect(() => new AdamW(groups).step([0.1])).toThrow('2 groups need as many rates, got 1');
  });
});
