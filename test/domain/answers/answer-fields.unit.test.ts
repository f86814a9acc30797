import { expect, test } from 'vitest';
import { answerContext, assertFew, outputFields } from '../../../src/domain/answers/answer-fields.ts';
import { lastExpiry } from '../../../src/domain/answers/apply-answer.ts';
import type { ItemInput } from '../../../src/domain/items/item-fields.ts';
import type { AnswerOutput, ProviderAnswer } from '../../../src/sources/answers/answer.ts';

const output = (from: string[] = []): AnswerOutput => ({ from: from.map((url) => ({ type: 'url', url })) });
const answerOf = (more: Partial<ProviderAnswer> = {}): ProviderAnswer => ({
  state: 'succeeded',
  outputs: [output()],
  generation: {},
  ...more,
});
const fields = (base: ItemInput, answer: ProviderAnswer, index = 0, of: AnswerOutput = output()) =>
  outputFields(answerContext({ base, userId: 'u', provider: 'fal', jobId: 'j', answer, body: { id: 'j' } }), of, index);

test('an item has the facts of its answer, and the words of the caller come before them', () => {
  const said = { prompt: 'a fox', model: 'm', size: '1x1', quality: 'hd', generation: { seed: 7, steps: 4 } };
  expect(fields({}, answerOf(said))).toMatchObject({
    userId: 'u',
    provider: 'fal',
    jobId: 'j',
    prompt: 'a fox',
    model: 'm',
    size: '1x1',
    quality: 'hd',
    generation: { seed: 7, steps: 4 },
    providerResponse: { id: 'j' },
  });
  const own = {
    provider: 'p',
    jobId: 'k',
    prompt: 'b',
    model: 'n',
    size: '2x2',
    quality: 'sd',
    generation: { seed: 8 },
  };
  expect(fields(own, answerOf(said))).toMatchObject({ ...own, generation: { seed: 8, steps: 4 } });
});

test('what an output says of itself comes before what its answer says', () => {
  const of = { ...output(), generation: { seed: 9 }, filename: 'fox.png' };
  expect(fields({ filename: undefined }, answerOf({ generation: { seed: 7, steps: 4 } }), 0, of)).toMatchObject({
    generation: { seed: 9, steps: 4 },
    filename: 'fox.png',
  });
  expect(fields({ filename: 'mine.png' }, answerOf(), 0, of)).toMatchObject({ filename: 'mine.png' });
});

test('texts of an answer that cannot be stored are cut or left out, never refused', () => {
  const made = fields(
    {},
    answerOf({ prompt: `a\u0000${'ä'.repeat(150_000)}`, size: 'x'.repeat(21), quality: 'y'.repeat(20) }),
  );
  expect(made.prompt).not.toContain('\u0000');
  expect(Buffer.byteLength(made.prompt ?? '')).toBeLessThanOrEqual(200_000);
  expect(made.size).toBeUndefined();
  expect(made.quality).toBe('y'.repeat(20));
});

test('of up to 16 outputs each keeps the answer, of more only the first', () => {
  const keeps = (count: number, index: number) =>
    fields({}, answerOf({ outputs: Array.from({ length: count }, () => output()) }), index).providerResponse !==
    undefined;
  expect([keeps(16, 0), keeps(16, 15), keeps(17, 0), keeps(17, 1)]).toEqual([true, true, true, false]);
});

test('facts of an output that would be too large are left out', () => {
  const large = {
    ...output(),
    generation: { a: 'x'.repeat(1000), b: Array.from({ length: 60 }, () => 'y'.repeat(1000)) },
  };
  const { generation } = fields({ generation: { seed: 7 } }, answerOf(), 0, large);
  expect(generation).toMatchObject({ seed: 7 });
  expect(Buffer.byteLength(JSON.stringify(generation))).toBeLessThanOrEqual(61 * 1024);
});

test('an answer has at most 1,000 outputs, and its items together at most 32 MiB of fields', () => {
  const many = (count: number) => answerOf({ outputs: Array.from({ length: count }, () => output()) });
  expect(() => assertFew(many(1000), {})).not.toThrow();
  expect(() => assertFew(many(1001), {})).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  const mib = 'x'.repeat(1024 * 1024);
  expect(() => assertFew(many(32), { prompt: mib })).not.toThrow();
  expect(() => assertFew(many(33), { prompt: mib })).toThrow(expect.objectContaining({ code: 'too_large' }));
  const metadata = { a: 'x'.repeat(40_000) };
  expect(() => assertFew(many(900), { metadata })).toThrow(expect.objectContaining({ code: 'too_large' }));
  expect(() => assertFew(many(900), { generation: metadata })).toThrow(expect.objectContaining({ code: 'too_large' }));
  expect(() => assertFew(many(800), { metadata })).not.toThrow();
});

test('the last place of an output that expires counts, if the expiry of every place is known', () => {
  const signed = (at: number) => `https://x.example/a?expires=${at}`;
  const expiry = (urls: string[], generation = {}, provider = 'unknown') =>
    lastExpiry(output(urls).from, provider, answerOf({ generation }))?.getTime();
  expect(expiry([signed(1_800_000_000), signed(1_900_000_000)])).toBe(1_900_000_000_000);
  expect(expiry([signed(1_800_000_000), 'https://x.example/a'])).toBeUndefined();
  expect(expiry([])).toBeUndefined();
});

test("a provider's usual lifetime counts from the end of the job when that is known", () => {
  const url = ['https://replicate.delivery/a.png'];
  const at = (completedAt?: unknown) =>
    lastExpiry(output(url).from, 'replicate', answerOf({ generation: { completedAt } as never }));
  const [early, late] = ['2026-11-21T00:00:00Z', '2026-11-21T01:00:00Z'].map((time) => Number(at(time)));
  expect((late ?? 0) - (early ?? 0)).toBe(3_600_000);
  const now = Date.now();
  for (const unknown of [undefined, 'no time', 7]) expect(Number(at(unknown))).toBeGreaterThan(now);
});
