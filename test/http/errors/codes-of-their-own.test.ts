import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

test('content that may still come is told apart from content that never will', async () => {
  const record = async (fields: object): Promise<string> => {
    const payload = { userId: 'u', ...fields };
    return (await t.app.inject({ method: 'POST', url: '/v1/media', headers: asAdmin(), payload })).json().id;
  };
  const failed = await record({ status: 'failed', error: 'out of memory' });
  const pending = await record({ status: 'failed', error: 'not yet' });
  await sql`UPDATE generated_images SET status = 'pending' WHERE id = ${pending}`.execute(t.deps.db);
  for (const [id, code, retryAfter] of [
    [failed, 'not_stored', undefined],
    [pending, 'content_pending', '5'],
  ] as const)
    for (const request of [
      { method: 'GET', url: `/v1/media/${id}/content` },
      { method: 'GET', url: `/v1/media/${id}/content?strip=metadata` },
      { method: 'POST', url: `/v1/media/${id}/url`, payload: {} },
    ] as const) {
      const response = await t.app.inject({ ...request, headers: asUser('u') });
      expect(response.statusCode, request.url).toBe(409);
      expect(response.json()).toMatchObject({ code });
      expect(response.headers['retry-after']).toBe(retryAfter);
    }
});

test('a prompt id without a ComfyUI names the setting', async () => {
  for (const { url, payload } of [
    { url: '/v1/media', payload: { userId: 'u', source: { type: 'comfyui', promptId: 'p' } } },
    { url: '/v1/import/comfyui', payload: { userId: 'u', response: { promptId: 'p' } } },
  ]) {
    const response = await t.app.inject({ method: 'POST', url, headers: asAdmin(), payload });
    if (response.json().field === 'source.type') continue;
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      code: 'comfyui_not_configured',
      detail: expect.stringContaining('COMFYUI_URL'),
    });
  }
});
