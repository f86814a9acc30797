import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { readAll } from '../support/bodies.ts';
import { png } from '../support/sample-files.ts';
import { s3Settings } from '../support/s3/service.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';

const USERS = 15;
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

interface Item {
  sha256: string;
  userId: string;
  prompt: string;
}
interface Answer {
  runId: string;
  items: Item[];
}
interface Told {
  outputs: { filename: string; sha256: string; file_size_bytes: number }[];
  user_id: string;
  input_text: string;
}

describe.each(['local', 's3'])('on the store %s', (kind) => {
  let t: TestApp;
  let address: string;
  const files = createServer((request, response) => {
    response.setHeader('content-type', 'image/png');
    response.end(png(2, 2, Number(request.url?.slice(1, -4))));
  });
  beforeAll(async () => {
    const s3 = kind === 's3' ? await s3Settings(inject('s3')) : undefined;
    t = await createTestApp({ DATABASE_POOL_MAX: '10', FETCH_TRUSTED_HOSTS: '127.0.0.1', ...s3?.env });
    s3?.client.destroy();
    address = await t.listen();
    await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    await new Promise((resolve) => files.close(resolve));
    await t.close();
  });

  const call = async (path: string, user: string, payload?: object) => {
    const response = await fetch(address + path, {
      method: payload ? 'POST' : 'GET',
      headers: { ...asUser(user), ...(payload && { 'content-type': 'application/json' }) },
      ...(payload && { body: JSON.stringify(payload) }),
    });
    if (response.status >= 300) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json() as Promise<Answer>;
  };
  const store = () => t.deps.stores.primary;
  const object = async (key: string) => readAll((await store().get(key)).stream);
  const names = async (runId: string) =>
    (await store().list(`runs/${runId}/`)).objects.map(({ key }) => key.slice(`runs/${runId}/`.length)).toSorted();
  const url = (salt: number) => ({
    type: 'url',
    url: `http://127.0.0.1:${(files.address() as AddressInfo).port}/${salt}.png`,
  });

  test('fifteen concurrent users with a run of several outputs each do not mix folders or rows', async () => {
    const runs = await Promise.all(
      Array.from({ length: USERS }, async (_value, user) => {
        const name = `child-${user}`;
        const { runId } = await call('/v1/runs', name, { inputText: `text of ${name}`, schema: 'dada' });
        const salts = Array.from({ length: 4 }, (_none, index) => user * 10 + index);
        const bytes = salts.map((salt) => png(2, 2, salt));
        const sources = salts.map((salt, index) =>
          index % 2 === 0 ? { type: 'base64', data: png(2, 2, salt).toString('base64') } : url(salt),
        );
        const added = await Promise.all(
          sources.map((source) => call(`/v1/runs/${runId}/media`, name, { source, prompt: name })),
        );
        await call(`/v1/runs/${runId}/complete`, name, { transformedText: `done for ${name}` });
        return { name, runId, bytes, added };
      }),
    );
    for (const { name, runId, bytes, added } of runs) {
      const wanted = bytes.map(sha256).toSorted();
      expect(await names(runId)).toEqual([
        'input_text.txt',
        'metadata.json',
        'output_image.png',
        'output_image_2.png',
        'output_image_3.png',
        'output_image_4.png',
        'transformed_text.txt',
      ]);
      const told = JSON.parse((await object(`runs/${runId}/metadata.json`)).toString()) as Told;
      expect(told).toMatchObject({ user_id: name, input_text: `text of ${name}` });
      expect(told.outputs.map((output) => output.sha256).toSorted()).toEqual(wanted);
      for (const output of told.outputs)
        expect(sha256(await object(`runs/${runId}/${output.filename}`))).toBe(output.sha256);
      const { items } = await call(`/v1/runs/${runId}`, name);
      expect(items.map((item) => item.sha256).toSorted()).toEqual(wanted);
      expect(new Set(items.map((item) => item.userId + item.prompt))).toEqual(new Set([name + name]));
      expect(added.map(({ items: [item] }) => item?.sha256)).toEqual(bytes.map(sha256));
    }
  });

  test('twenty concurrent additions to one run get twenty names, and a reader never gets half a metadata.json', async () => {
    const { runId } = await call('/v1/runs', 'busy', { inputText: 'x'.repeat(50_000) });
    let reading = true;
    let reads = 0;
    const read = async () => {
      let seen = 0;
      while (reading) {
        const told = JSON.parse((await object(`runs/${runId}/metadata.json`)).toString()) as Told;
        // Listed outputs exist, and an output once listed stays listed.
        for (const output of told.outputs.slice(seen))
          expect((await store().stat(`runs/${runId}/${output.filename}`))?.bytes).toBe(output.file_size_bytes);
        expect(told.outputs.length).toBeGreaterThanOrEqual(seen);
        seen = told.outputs.length;
        reads += 1;
        await sleep(1);
      }
    };
    // Several, so that a fast store is met often enough, too.
    const readers = Promise.all([read(), read(), read()]);
    const source = (salt: number) => ({ type: 'base64', data: png(2, 2, salt).toString('base64') });
    await Promise.all(
      Array.from({ length: 20 }, (_value, salt) => call(`/v1/runs/${runId}/media`, 'busy', { source: source(salt) })),
    );
    reading = false;
    await readers;
    expect(reads).toBeGreaterThan(3);
    const told = JSON.parse((await object(`runs/${runId}/metadata.json`)).toString()) as Told;
    expect(new Set(told.outputs.map((output) => output.filename)).size).toBe(20);
    expect(new Set(told.outputs.map((output) => output.sha256)).size).toBe(20);
    expect((await names(runId)).filter((name) => name.startsWith('output_'))).toHaveLength(20);
  });
});
