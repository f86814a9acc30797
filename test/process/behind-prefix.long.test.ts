import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePort } from '../../src/db/embedded/free-port.ts';
import { HAS_NGINX, type Nginx, startNginx } from '../support/nginx.ts';
import { png } from '../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';

const skipped = !HAS_NGINX;

describe.skipIf(skipped).each([
  ['removes the prefix', '/'],
  ['leaves the prefix', ''],
])('behind an nginx that serves /keep/ and %s', (_name, behind) => {
  let t: TestApp;
  let nginx: Nginx;
  let host: string;
  const ann = asUser('ann');

  beforeAll(async () => {
    const port = await freePort();
    host = `http://127.0.0.1:${port}`;
    t = await createTestApp({ PUBLIC_BASE_URL: `${host}/keep` });
    const upstream = await t.listen();
    nginx = await startNginx(
      `server { listen 127.0.0.1:${port};
         location /keep/ { proxy_pass ${upstream}${behind}; proxy_http_version 1.1; } }`,
    );
    await vi.waitFor(async () => expect((await fetch(`${host}/keep/health/ready`)).status).toBe(200), 20_000);
  });
  afterAll(async () => {
    await nginx.stop();
    await t.close();
  });

  const call = (at: string, init: RequestInit = {}) =>
    fetch(new URL(at, `${host}/`), { ...init, headers: { ...ann, ...init.headers } });
  const post = (at: string, body: object) =>
    call(at, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const json = async (answer: Response) => (await answer.json()) as Record<string, string>;
  const source = { type: 'base64', data: png(6, 6).toString('base64') };

  test('every Location leads back under it', async () => {
    const projectId = 'a1b2c3d4-0000-4000-8000-000000000001';
    const made = [
      await post('/keep/v1/media', { source }),
      await post('/keep/v1/runs', { inputText: 'a fox' }),
      await post(`/keep/v1/projects/${projectId}/scenes/one`, { source }),
    ];
    const upload = await json(await post('/keep/v1/uploads', { contentType: 'image/png', bytes: png(7, 7).length }));
    expect(upload['url']?.startsWith(`${host}/keep/v1/uploads/`)).toBe(true);
    const sent = await fetch(upload['url'] ?? '', {
      method: 'PUT',
      headers: { 'content-type': 'image/png' },
      body: new Uint8Array(png(7, 7)),
    });
    expect(sent.status).toBe(204);
    made.push(await call(`/keep/v1/uploads/${upload['id']}/complete`, { method: 'POST' }));
    for (const answer of made) {
      expect(answer.status).toBe(201);
      const location = answer.headers.get('location') ?? '';
      expect(location).toMatch(/^\/keep\/v1\//);
      expect((await call(location)).status).toBe(200);
    }
  });

  test('every URL in a body leads back under it', async () => {
    const item = await json(await post('/keep/v1/media', { source, visibility: 'public' }));
    const signed = await json(await post(`/keep/v1/media/${item['id']}/url`, {}));
    for (const url of [item['url'], item['storageUrl'], signed['url']]) {
      expect(url?.startsWith(`${host}/keep/`)).toBe(true);
      const answer = await fetch(url ?? '');
      expect([url, answer.status]).toEqual([url, 200]);
      expect(Buffer.from(await answer.arrayBuffer()).equals(png(6, 6))).toBe(true);
    }
  });

  test('the documentation and all that it links to is there', async () => {
    const page = await call('/keep/docs');
    expect(page.status).toBe(200);
    const links = [...(await page.text()).matchAll(/(?:href|src)="([^"#]+)"/g)].map(([, link = '']) => link);
    expect(links.length).toBeGreaterThan(1);
    for (const link of links) {
      const target = new URL(link, `${host}/keep/docs`);
      if (target.origin === host) expect([link, (await call(target.href)).status]).toEqual([link, 200]);
    }
    const { servers } = (await (await call('/keep/openapi.json')).json()) as { servers: { url: string }[] };
    expect(servers).toEqual([expect.objectContaining({ url: `${host}/keep` })]);
  });

  test('an unknown path stays one', async () => {
    expect((await call('/keep/nothing')).status).toBe(404);
    expect((await call('/keep/keep/v1/media')).status).toBe(behind === '/' ? 200 : 404);
  });
});
