import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, type Page, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { s3Settings } from '../support/s3/service.ts';
import { freePort } from '../../src/db/embedded/free-port.ts';
import { type TestApp, createTestApp, token } from '../support/test-app.ts';
import { chromiumPath } from './chromium.ts';

const executablePath = chromiumPath();
if (executablePath === undefined) process.stdout.write('no Chromium on the PATH: tests in a browser are skipped\n');

let browser: Browser;
let page: Page;
let origin: string;
const site = createServer((_request, response) => {
  response.setHeader('content-type', 'text/html');
  response.end(readFileSync(new URL('upload-page.html', import.meta.url)));
});

beforeAll(async () => {
  if (executablePath === undefined) return;
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  page = await browser.newPage();
  await page.goto(origin);
});
afterAll(async () => {
  await browser?.close();
  site.close();
});

/** Starts the service at an address that a browser reaches, with CORS for the page's origin. */
async function serve(env: Record<string, string>): Promise<{ t: TestApp; address: string }> {
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const t = await createTestApp({ CORS_ORIGINS: origin, PUBLIC_BASE_URL: address, ...env });
  await t.app.listen({ host: '127.0.0.1', port });
  return { t, address };
}

interface Outcome {
  putUrl: string;
  /** Of begin, send, complete and sign. */
  statuses: number[];
  item: { id: string; sha256: string; bytes: number; width: number };
  shownUrl: string;
  shownWidth: number;
  /** The bytes that the page has sent. */
  sent: number[];
  readFrom: string;
  readBytes: number;
}

/** Has the page upload a picture that it draws. */
async function uploadInBrowser(address: string): Promise<Outcome & { sha256: string }> {
  const bearer = token({ sub: 'a', scope: 'media:read media:write' });
  const outcome: Outcome = await page
    .evaluate<Outcome>(`upload(${JSON.stringify({ address, bearer })})`)
    // The stack of an error in the page names the page's own files, which the runner would try to open.
    .catch((error: unknown) => {
      throw new Error(`in the page: ${String(error).split('\n')[0]}`);
    });
  return { ...outcome, sha256: createHash('sha256').update(Buffer.from(outcome.sent)).digest('hex') };
}

test.skipIf(executablePath === undefined)(
  'a page of another origin uploads directly to the service for a local store, and shows the picture',
  async () => {
    const { t, address } = await serve({});
    try {
      const { putUrl, statuses, item, shownWidth, sent, readBytes, sha256 } = await uploadInBrowser(address);
      expect(statuses).toEqual([201, 204, 201, 200]);
      expect(putUrl.startsWith(`${address}/v1/uploads/`)).toBe(true);
      expect(item).toMatchObject({ sha256, bytes: sent.length, width: 320 });
      expect([shownWidth, readBytes]).toEqual([320, sent.length]);
    } finally {
      await t.close();
    }
  },
);

test.skipIf(executablePath === undefined)(
  'a page of another origin uploads directly to S3, shows the picture from there, and reads it through the redirect',
  async () => {
    const s3 = await s3Settings(inject('s3'), origin);
    const { t, address } = await serve(s3.env);
    try {
      const { putUrl, statuses, item, shownUrl, shownWidth, sent, readFrom, readBytes, sha256 } =
        await uploadInBrowser(address);
      expect(statuses).toEqual([201, 200, 201, 200]);
      const endpoint = s3.env['S3_ENDPOINT'] ?? 'none';
      for (const url of [putUrl, shownUrl, readFrom]) expect(url.startsWith(endpoint)).toBe(true);
      expect(item).toMatchObject({ sha256, bytes: sent.length, width: 320, storageProvider: 's3' });
      expect([shownWidth, readBytes]).toEqual([320, sent.length]);
    } finally {
      await t.close();
      s3.client.destroy();
    }
  },
);
