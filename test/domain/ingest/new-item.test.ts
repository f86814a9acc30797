import { expect, test } from 'vitest';
import { png } from '../../support/sample-files.ts';
import { asUser, createTestApp } from '../../support/test-app.ts';

test.each(['public', 'private'] as const)(
  'where items are %s unless they say otherwise, they are, and what says otherwise is not',
  async (usual) => {
    const t = await createTestApp({ DEFAULT_VISIBILITY: usual });
    try {
      const store = async (query: string) => {
        const headers = { ...asUser('alice'), 'content-type': 'image/png' };
        const made = await t.app.inject({ method: 'POST', url: `/v1/media?${query}`, headers, payload: png(2, 2, 1) });
        const { id, visibility } = made.json<{ id: string; visibility: string }>();
        const { statusCode } = await t.app.inject(`/v1/media/${id}/content`);
        return [visibility, statusCode];
      };
      const seen = { public: ['public', 200], private: ['private', 401] };
      expect(await store('')).toEqual(seen[usual]);
      expect(await store('visibility=public')).toEqual(seen.public);
      expect(await store('visibility=private')).toEqual(seen.private);
    } finally {
      await t.close();
    }
  },
);
