import { expect, test } from 'vitest';
import { once } from '../../../src/domain/bytes/incoming-body.ts';
import type { BytesSource, Source } from '../../../src/domain/bytes/source.ts';
import type { IngestRequest } from '../../../src/domain/ingest/ingest.ts';
import { withDecided } from '../../../src/domain/ingest/with-decided.ts';

const bytes = (finish?: BytesSource['finish']): BytesSource => ({
  type: 'bytes',
  via: 'raw',
  body: once(Buffer.from('a')),
  finish,
});
const request = (source: Source): IngestRequest => ({
  caller: { sub: 'u', scopes: new Set() },
  input: { runId: 'theirs', prompt: 'a fox' },
  source,
  idempotencyKey: 'k',
});

test('what the path decides replaces what the request says, and nothing else changes', () => {
  const theirs = request({ type: 'none' });
  const decided = withDecided(theirs, { runId: 'ours', userId: 'u' });
  expect(decided).toEqual({ ...theirs, input: { runId: 'ours', userId: 'u', prompt: 'a fox' } });
  expect(theirs.input.runId).toBe('theirs');
});

test('fields after the file cannot replace it either', async () => {
  const seen: unknown[] = [];
  const source = bytes(async (digests) => {
    seen.push(digests);
    return { runId: 'later', model: 'm' };
  });
  const decided = withDecided(request(source), { runId: 'ours' }).source as BytesSource;
  expect(await decided.finish?.({ sha256: 'abc' })).toEqual({ runId: 'ours', model: 'm' });
  expect(seen).toEqual([{ sha256: 'abc' }]);
  expect({ ...decided, finish: undefined }).toEqual({ ...source, finish: undefined });
});

test('the fields after the file are read by the source that has them', async () => {
  const source = {
    ...bytes(),
    left: 'abc',
    finish(this: { left: string }) {
      return { prompt: this.left };
    },
  };
  const decided = withDecided(request(source), { runId: 'ours' }).source as BytesSource;
  expect(await decided.finish?.({ sha256: '' })).toEqual({ prompt: 'abc', runId: 'ours' });
});

test('a body without fields after it is passed on as it is', () => {
  const source = bytes();
  expect(withDecided(request(source), { runId: 'ours' })).toMatchObject({ input: { runId: 'ours' }, source });
  expect(withDecided(request(source), { runId: 'ours' }).source).toBe(source);
});
