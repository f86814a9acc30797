import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

test('a front end may send null for every field of an image that it does not have', async () => {
  const data = png(3, 3).toString('base64');
  for (const body of [
    { userId: null, jobId: null, prompt: null, image: { filename: 'a.png', subfolder: null, type: null, data } },
    { image: { filename: null, data, s3Key: null, networkVolumePath: null, url: null } },
    { image: null, images: [{ filename: 'b.png', data, s3Key: null }] },
    { images: null, filename: 'c.png', subfolder: null, data },
  ]) {
    const answer = await t.app.inject({
      method: 'POST',
      url: '/api/images/save',
      headers: asUser('ann'),
      payload: body,
    });
    expect([body, answer.statusCode, answer.json().success]).toEqual([body, 200, true]);
  }
});
