import { execFile, execFileSync } from 'node:child_process';
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import axios from 'axios';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasProgram } from '../support/has-program.ts';
import { png } from '../support/sample-files.ts';
import { type TestApp, createTestApp, token } from '../support/test-app.ts';

// The clients that callers use, as they send requests by default, against the listening server.
let t: TestApp;
let base: string;
const folder = mkdtempSync(path.join(tmpdir(), 'mediakeep-clients-'));
const file = path.join(folder, 'fox.png');
const picture = png(64, 64, 9);
const bearer = `Bearer ${token({ sub: 'clients', scope: 'media:read media:write' })}`;
beforeAll(async () => {
  writeFileSync(file, picture);
  t = await createTestApp({ PUBLIC_BASE_URL: '' });
  base = await t.listen();
});
afterAll(async () => {
  await t.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Item {
  id: string;
  bytes: number;
  filename: string | null;
  tags: string[];
  metadata: Record<string, unknown>;
}
interface Client {
  /** A form with the file, two tags, and metadata. */
  upload(): Promise<Item>;
  /** `POST …/url` without a body. */
  sign(id: string): Promise<{ status: number; url: string }>;
  /** The first ten bytes. */
  range(id: string): Promise<{ status: number; bytes: Buffer }>;
  /** The record of an item that is not there. */
  missing(): Promise<{ status: number; code: string }>;
}

const withAxios: Client = {
  async upload() {
    const form = {
      'tags[]': ['a', 'b'],
      metadata: JSON.stringify({ by: 'axios' }),
      file: createReadStream(file),
    };
    const { data } = await axios.postForm<Item>(`${base}/v1/media`, form, { headers: { authorization: bearer } });
    return data;
  },
  async sign(id) {
    const { status, data } = await axios.post<{ url: string }>(`${base}/v1/media/${id}/url`, undefined, {
      headers: { authorization: bearer },
    });
    return { status, url: data.url };
  },
  async range(id) {
    const { status, data } = await axios.get<ArrayBuffer>(`${base}/v1/media/${id}/content`, {
      headers: { authorization: bearer, range: 'bytes=0-9' },
      responseType: 'arraybuffer',
    });
    return { status, bytes: Buffer.from(data) };
  },
  async missing() {
    const { status, data } = await axios.get<{ code: string }>(`${base}/v1/media/999999`, {
      headers: { authorization: bearer },
      validateStatus: () => true,
    });
    return { status, code: data.code };
  },
};

const headers = { authorization: bearer };
const withFetch: Client = {
  async upload() {
    const form = new FormData();
    for (const tag of ['a', 'b']) form.append('tags', tag);
    form.append('metadata', new Blob([JSON.stringify({ by: 'fetch' })], { type: 'application/json' }));
    form.append('file', new Blob([new Uint8Array(picture)], { type: 'image/png' }), 'fox.png');
    return (await (await fetch(`${base}/v1/media`, { method: 'POST', headers, body: form })).json()) as Item;
  },
  async sign(id) {
    const answer = await fetch(`${base}/v1/media/${id}/url`, { method: 'POST', headers });
    return { status: answer.status, url: ((await answer.json()) as { url: string }).url };
  },
  async range(id) {
    const answer = await fetch(`${base}/v1/media/${id}/content`, { headers: { ...headers, range: 'bytes=0-9' } });
    return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()) };
  },
  async missing() {
    const answer = await fetch(`${base}/v1/media/999999`, { headers });
    return { status: answer.status, code: ((await answer.json()) as { code: string }).code };
  },
};

function send(
  method: string,
  url: string,
  more: http.OutgoingHttpHeaders = {},
  body?: Buffer,
): Promise<{ status: number; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    const outgoing = http.request(`${base}${url}`, { method, headers: { ...headers, ...more } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, bytes: Buffer.concat(chunks) }));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
const withHttp: Client = {
  async upload() {
    const query = `tags=a&tags=b&filename=fox.png&metadata=${encodeURIComponent('{"by":"http"}')}`;
    // Node sends a length, but no type.
    return JSON.parse((await send('POST', `/v1/media?${query}`, {}, picture)).bytes.toString()) as Item;
  },
  async sign(id) {
    const { status, bytes } = await send('POST', `/v1/media/${id}/url`);
    return { status, url: (JSON.parse(bytes.toString()) as { url: string }).url };
  },
  range: (id) => send('GET', `/v1/media/${id}/content`, { range: 'bytes=0-9' }),
  async missing() {
    const { status, bytes } = await send('GET', '/v1/media/999999');
    return { status, code: (JSON.parse(bytes.toString()) as { code: string }).code };
  },
};

const run = promisify(execFile);
const curl = async (...args: string[]) => {
  const out = path.join(folder, 'out');
  const { stdout } = await run('curl', [
    '-s',
    '-o',
    out,
    '-w',
    '%{http_code}',
    '-H',
    `authorization: ${bearer}`,
    ...args,
  ]);
  return { status: Number(stdout), bytes: readFileSync(out) };
};
const withCurl: Client = {
  async upload() {
    const { bytes } = await curl(
      '-F',
      'tags=a',
      '-F',
      'tags=b',
      '-F',
      'metadata={"by":"curl"};type=application/json',
      '-F',
      `file=@${file}`,
      `${base}/v1/media`,
    );
    return JSON.parse(bytes.toString()) as Item;
  },
  async sign(id) {
    // -d '' sends a type for forms and a length of 0.
    const { status, bytes } = await curl('-X', 'POST', '-d', '', `${base}/v1/media/${id}/url`);
    return { status, url: (JSON.parse(bytes.toString()) as { url: string }).url };
  },
  range: (id) => curl('-r', '0-9', `${base}/v1/media/${id}/content`),
  async missing() {
    const { status, bytes } = await curl(`${base}/v1/media/999999`);
    return { status, code: (JSON.parse(bytes.toString()) as { code: string }).code };
  },
};

const python = async (script: string): Promise<string> => {
  const preamble = `import json, requests\nbase, auth = ${JSON.stringify(base)}, {"Authorization": ${JSON.stringify(bearer)}}\n`;
  return (await run('python3', ['-c', preamble + script])).stdout;
};
const withRequests: Client = {
  async upload() {
    return JSON.parse(
      await python(`print(requests.post(base + "/v1/media", headers=auth, data={"tags": ["a", "b"]},
  files={"metadata": (None, json.dumps({"by": "requests"}), "application/json"), "file": open(${JSON.stringify(file)}, "rb")}).text)`),
    ) as Item;
  },
  async sign(id) {
    return JSON.parse(
      await python(
        `r = requests.post(base + "/v1/media/${id}/url", headers=auth)\nprint(json.dumps({"status": r.status_code, "url": r.json()["url"]}))`,
      ),
    ) as { status: number; url: string };
  },
  async range(id) {
    const { status, bytes } = JSON.parse(
      await python(
        `r = requests.get(base + "/v1/media/${id}/content", headers={**auth, "Range": "bytes=0-9"})\nprint(json.dumps({"status": r.status_code, "bytes": r.content.hex()}))`,
      ),
    ) as { status: number; bytes: string };
    return { status, bytes: Buffer.from(bytes, 'hex') };
  },
  async missing() {
    return JSON.parse(
      await python(
        `r = requests.get(base + "/v1/media/999999", headers=auth)\nprint(json.dumps({"status": r.status_code, "code": r.json()["code"]}))`,
      ),
    ) as { status: number; code: string };
  },
};

function hasRequests(): boolean {
  try {
    execFileSync('python3', ['-c', 'import requests'], { stdio: 'ignore' });
    return true;
  } catch {
    process.stdout.write('Python has no package requests: its client is not tested\n');
    return false;
  }
}

describe.each([
  ['axios', withAxios, true],
  ['fetch', withFetch, true],
  ['node:http', withHttp, true],
  ['curl', withCurl, hasProgram('curl', '--version')],
  ['requests of Python', withRequests, hasRequests()],
] as const)('%s', (_name, client, there) => {
  test.runIf(there)('uploads, sends a POST without a body, downloads a part, and reads an error', async () => {
    const item = await client.upload();
    expect(item).toMatchObject({
      bytes: picture.length,
      filename: 'fox.png',
      tags: ['a', 'b'],
      metadata: { by: expect.any(String) },
    });
    const signed = await client.sign(item.id);
    expect(signed.status).toBe(200);
    expect(signed.url).toMatch(/\/fox\.png$/);
    expect(Buffer.from(await (await fetch(base + new URL(signed.url).pathname)).arrayBuffer()).equals(picture)).toBe(
      true,
    );
    const part = await client.range(item.id);
    expect([part.status, part.bytes]).toEqual([206, picture.subarray(0, 10)]);
    expect(await client.missing()).toEqual({ status: 404, code: 'not_found' });
  });
});
