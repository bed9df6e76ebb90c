import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAde20k, SCENE_CLASS_IDS, syntheticAde20k } from '@ii/ade20k';
import { createDevice } from '@ii/tensor';
import { createUperNet } from '@ii/upernet';
import { demoModel, demoWeightsUrl, inferConfig, openDemoCheckpoint } from '../src/index.js';

let server: Server;
let address: string;
beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url !== '/demo.safetensors') response.writeHead(404).end();
    else void readFile(demoWeightsUrl()).then((bytes) => response.end(bytes));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

describe('the demonstration model', () => {
  it('is small, and its file tells its configuration', async () => {
    expect((await stat(demoWeightsUrl())).size).toBeLessThan(4e6);
    const checkpoint = await openDemoCheckpoint();
    expect(inferConfig(checkpoint.tensors, checkpoint)).toMatchObject({
      model: demoModel,
      testScale: demoModel.testScale,
    });
    await checkpoint.close();
  });

  it('is fetched where there are no files', async () => {
    const [file, fetched] = [
      await openDemoCheckpoint(),
      await openDemoCheckpoint({ url: `${address}/demo.safetensors` }),
    ];
    expect(fetched.name).toBe('demo.safetensors');
    const [name, tensor] = [...file.tensors][0]!;
    expect(await fetched.tensors.get(name)!.bytes()).toEqual(await tensor.bytes());
    await file.close();
    await expect(openDemoCheckpoint({ url: `${address}/gone` })).rejects.toThrow(
      /cannot fetch the demonstration model's weights from .*\/gone: 404 Not Found/,
    );
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(openDemoCheckpoint({ url: `${address}/demo.safetensors`, signal })).rejects.toThrow('enough');
  });

  it('labels drawings that it has never seen, with classes of drawings alone', async () => {
    const device = await createDevice('wasm', { threads: 1 });
    const { tensors, close } = await openDemoCheckpoint();
    const model = await createUperNet(demoModel.config, { device, weights: tensors });
    await close();
    const dataset = await openAde20k(syntheticAde20k({ count: 20, size: [160, 208], seed: 2 }), 'validation');
    const known = new Set<number>(Object.values(SCENE_CLASS_IDS));
    const seen = new Set<number>();
    let [right, all] = [0, 0];
    for (let i = 0; i < 20; i++) {
      const { image, labels } = await dataset.load(i);
      const { labels: predicted } = await model.segment(image, { scale: demoModel.testScale });
      predicted.data.forEach((id, at) => {
        seen.add(id);
        if (id === labels!.data[at]) right++;
        all++;
      });
    }
    model.dispose();
    device.dispose();
    expect([...seen].filter((id) => !known.has(id))).toEqual([]);
    expect(right / all).toBeGreaterThan(0.7);
  });
});
