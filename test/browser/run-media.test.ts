import { type Browser, chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import { png } from '../support/sample-files.ts';
import { asUser, createTestApp } from '../support/test-app.ts';
import { chromiumPath } from './chromium.ts';

const executablePath = chromiumPath();

/** Has a page of another origin show `address` in a plain <img>; returns its natural width, 0 when it was refused. */
async function shownWidth(browser: Browser, address: string): Promise<number> {
  const page = await browser.newPage();
  try {
    return await page.evaluate<number>(`new Promise((resolve) => {
      const image = new Image();
      image.addEventListener('load', () => resolve(image.naturalWidth));
      image.addEventListener('error', () => resolve(0));
      image.src = ${JSON.stringify(address)};
    })`);
  } finally {
    await page.close();
  }
}

test.skipIf(executablePath === undefined)(
  "a plain <img> shows a run's public image but not a private one",
  async () => {
    const t = await createTestApp();
    const browser = await chromium.launch({ executablePath: executablePath as string, args: ['--no-sandbox'] });
    try {
      const address = await t.listen();
      const headers = asUser('a');
      const widths: number[] = [];
      for (const visibility of ['public', 'private']) {
        const run = await t.app.inject({
          method: 'POST',
          url: '/v1/runs',
          headers,
          payload: { inputText: 'a flower' },
        });
        const { runId } = run.json();
        await t.app.inject({
          method: 'POST',
          url: `/v1/runs/${runId}/media?visibility=${visibility}`,
          headers: { ...headers, 'content-type': 'image/png' },
          payload: png(13, 9),
        });
        widths.push(await shownWidth(browser, `${address}/api/media/image/${runId}`));
      }
      expect(widths).toEqual([13, 0]);
    } finally {
      await browser.close();
      await t.close();
    }
  },
);
