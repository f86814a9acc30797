import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { freePort } from '../../src/db/embedded/free-port.ts';
import { type DataFolder, createDataFolder } from '../support/data-folder.ts';
import { bigPng } from '../support/sample-files.ts';
import { HAS_NGINX, type Nginx, startNginx } from '../support/nginx.ts';
import { CHECKOUT, type ServiceProcess, startService } from '../support/service-process.ts';
import { JWT_SECRET, asUser } from '../support/test-app.ts';

const skipped = !HAS_NGINX;

let data: DataFolder;
let service: ServiceProcess;
let nginx: Nginx;
let address: string;

/** The committed file; only its addresses are replaced. */
async function committedSite(port: number, upstream: string): Promise<string> {
  const committed = await readFile(path.join(CHECKOUT, 'deploy/nginx/mediakeep.conf'), 'utf8');
  return committed
    .replace('server 127.0.0.1:8080;', `server ${upstream};`)
    .replace('listen 80;', `listen 127.0.0.1:${port};`);
}

beforeAll(async () => {
  if (skipped) return;
  data = await createDataFolder('nginx');
  const port = await freePort();
  service = await startService({
    env: {
      DATA_DIR: data.path,
      JWT_SECRET,
      PUBLIC_BASE_URL: `http://127.0.0.1:${port}`,
      TRUSTED_PROXIES: '127.0.0.1',
      MAX_UPLOAD_BYTES: '30000000',
    },
  });
  nginx = await startNginx(await committedSite(port, new URL(service.address).host));
  address = `http://127.0.0.1:${port}`;
  await vi.waitFor(async () => expect((await fetch(`${address}/health/ready`)).status).toBe(200), 20_000);
});
afterAll(async () => {
  if (skipped) return;
  await nginx.stop();
  service.kill('SIGTERM');
  await service.ended;
  await data.remove();
});

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const upload = (body: Buffer, headers: Record<string, string> = {}) =>
  fetch(`${address}/v1/media`, {
    method: 'POST',
    headers: { ...asUser('ann'), 'content-type': 'image/png', ...headers },
    body: new Uint8Array(body),
  });

test.skipIf(skipped)('a large file goes in and out whole, and in parts', async () => {
  const body = bigPng(20_000_000, 1);
  const stored = await upload(body);
  expect(stored.status).toBe(201);
  const { id, url, sha256: told } = (await stored.json()) as { id: string; url: string; sha256: string };
  expect(told).toBe(sha256(body));
  // Its URL leads through the proxy.
  expect(url).toBe(`${address}/v1/media/${id}/content`);
  const whole = await fetch(url, { headers: asUser('ann') });
  expect(sha256(new Uint8Array(await whole.arrayBuffer()))).toBe(told);
  const part = await fetch(url, { headers: { ...asUser('ann'), range: 'bytes=1000000-1999999' } });
  expect(part.status).toBe(206);
  expect(sha256(new Uint8Array(await part.arrayBuffer()))).toBe(sha256(body.subarray(1_000_000, 2_000_000)));
});

test.skipIf(skipped)('what is too large is refused by the service, with a problem document', async () => {
  const response = await upload(Buffer.concat([bigPng(100_000, 2), randomBytes(31_000_000)]));
  expect(response.status).toBe(413);
  expect(await response.json()).toMatchObject({ code: 'too_large' });
});

test.skipIf(skipped)('an event arrives at once, through no buffer', async () => {
  const cut = new AbortController();
  const stream = await fetch(`${address}/v1/events`, { headers: asUser('ann'), signal: cut.signal });
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  const { id } = (await (await upload(bigPng(50_000, 3))).json()) as { id: string };
  let text = '';
  const read = async () => {
    while (!text.includes(`"${id}"`)) {
      const { value, done } = (await reader?.read()) ?? { done: true };
      if (done) break;
      text += value ?? '';
    }
  };
  await Promise.race([read(), new Promise((resolve) => setTimeout(resolve, 10_000))]);
  cut.abort();
  expect(text).toContain(`"${id}"`);
});

test.skipIf(skipped)("the log has the caller's address and nginx's request id; metrics stay inside", async () => {
  const response = await fetch(`${address}/v1/media`, {
    headers: { ...asUser('bob'), 'x-forwarded-for': '203.0.113.7' },
  });
  expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/);
  // The proxy appends the address that it sees, which is this machine's; what stands before it is the caller's.
  await vi.waitFor(() => expect(service.output()).toMatch(/"ip":"203\.0\.113\.7".*"userId":"bob"/), 10_000);
  expect((await fetch(`${address}/metrics`)).status).toBe(404);
  expect((await fetch(`${service.address}/metrics`)).status).toBe(200);
});
