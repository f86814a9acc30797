import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { splitAgain } from '../../../src/domain/search/split-again.ts';
import { wordsOf } from '../../../src/domain/words/split.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

let salt = 0;
async function store(fields: object, user = 'ann'): Promise<string> {
  const source = { type: 'base64', data: png(2, 2, (salt += 1)).toString('base64') };
  const made = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: asUser(user),
    payload: { source, ...fields },
  });
  if (made.statusCode !== 201) throw new Error(made.body);
  return made.json().id;
}
const find = async (q: string, user = 'ann'): Promise<string[]> => {
  const answer = await t.app.inject({ url: `/v1/media?limit=200&q=${encodeURIComponent(q)}`, headers: asUser(user) });
  if (answer.statusCode !== 200) throw new Error(answer.body);
  return answer.json().items.map((item: { id: string }) => item.id);
};

describe('what people type', () => {
  const FOUND: [fields: object, typed: string[], not: string[]][] = [
    [{ filename: 'fox.png' }, ['fox', 'FOX', 'fox.png', 'png fox'], ['fo', 'ox']],
    [{ filename: 'red_fox_0001.png' }, ['fox', 'red fox', 'red_fox', '0001', '"red fox"'], ['"fox red"']],
    [{ prompt: 'a red-fox at Fox’s den' }, ['red', 'fox', "Fox's", 'den -wolf', 'wolf or den'], ['den -fox', 'wolf']],
    [
      { model: 'black-forest-labs/flux-schnell' },
      ['flux', 'flux-schnell', 'black-forest-labs', 'black-forest-labs/flux-schnell', 'schn*', 'flux sch*'],
      ['fluxx', 'schnells*'],
    ],
    [{ prompt: '<lora:Detail_Tweaker:0.8> knight' }, ['Detail_Tweaker', 'detail', 'lora:Detail_Tweaker', '0.8'], []],
    [{ prompt: 'DetailTweakerXL' }, ['DetailTweakerXL', 'tweaker', 'detail tweaker'], []],
    [{ prompt: 'un café, Straße' }, ['cafe', 'CAFÉ', 'cafe\u0301', 'strasse', 'STRASSE', 'Straße'], []],
    [{ prompt: 'cafe und strasse' }, ['café', 'Straße'], []],
    [{ prompt: 'ＦＵＬＬ ｗｉｄｔｈ ｶﾀｶﾅ' }, ['full width', 'カタカナ', 'ﬀ or full'], []],
    [{ prompt: 'lighthouse at dawn' }, ['light*', 'LIGHT*', 'lighthouse*'], ['light', 'house*']],
    [
      { prompt: '雪の中の赤い狐、夕焼け' },
      ['狐', '赤い狐', '赤い', '夕焼け', '"赤い狐"', '狐*', '雪 狐'],
      ['犬', '青い狐'],
    ],
    [{ prompt: '一只在雪地里的红狐狸' }, ['红狐狸', '狐狸', '雪', '雪地里'], ['黑狐狸']],
    [{ prompt: '눈 속의 붉은여우가' }, ['여우', '붉은', '붉은여우', '눈'], ['강아지']],
    [{ prompt: 'สุนัขจิ้งจอกแดงในหิมะ' }, ['จิ้งจอก', 'หิมะ', 'แดง'], ['แมว']],
    [{ prompt: 'ໝາຈອກໃນຫິມະ' }, ['ຈອກ', 'ຫິມະ'], []],
    [{ prompt: 'កញ្ជ្រោងក្រហម' }, ['ក្រហម'], []],
    [{ prompt: 'مُحَمَّد في الثلج می‌خواهم' }, ['محمد', 'الثلج', 'می‌خواهم'], []],
    [{ prompt: 'a fox 🦊 in Kiel' }, ['🦊', 'kiel 🦊'], ['🐺']],
    [
      { prompt: 'x', generation: { seed: 987654321, sampler: 'dpmpp_2m', negativePrompt: 'blurry hands' } },
      ['987654321', 'dpmpp', 'blurry'],
      [],
    ],
    [
      { toolName: 'generateUserImage', tags: ['Winter-Campaign'] },
      ['winter', 'campaign', 'generateUserImage', 'user image'],
      [],
    ],
  ];

  test.each(FOUND)('%j', async (fields, typed, not) => {
    const user = `user-${salt}`;
    const id = await store(fields, user);
    for (const q of typed) expect([q, await find(q, user)]).toEqual([q, [id]]);
    for (const q of not) expect([q, await find(q, user)]).toEqual([q, []]);
  });

  test('a search without a word finds nothing, and a beginning too short is refused', async () => {
    await store({ prompt: 'anything' }, 'dan');
    for (const q of ['!!!', '-', '***', '""']) expect([q, await find(q, 'dan')]).toEqual([q, []]);
    const refused = await t.app.inject({ url: '/v1/media?q=li*', headers: asUser('dan') });
    expect(refused.json()).toMatchObject({ status: 400, code: 'invalid_request', field: 'q' });
  });

  test('PATCH changes what is found', async () => {
    const id = await store({ prompt: 'a fox', filename: 'one.png' }, 'eve');
    await t.app.inject({
      method: 'PATCH',
      url: `/v1/media/${id}`,
      headers: asUser('eve'),
      payload: { prompt: 'a wolf', filename: 'two.png', tags: ['forest'] },
    });
    expect(await find('wolf two forest', 'eve')).toEqual([id]);
    for (const q of ['fox', 'one']) expect(await find(q, 'eve')).toEqual([]);
  });
});

/** Letters of eight scripts, some with marks, joined as people join them. */
const SCRIPTS = {
  latin: ['abcdefghijklmnop', 'ABCDEFG', 'éüßøçñ', '0123456789'],
  cyrillic: ['абвгдеёжзийклмн', 'АБВ'],
  greek: ['αβγδεζηθικλμνς', 'άέή'],
  arabic: ['ابتثجحخدذرزس'],
  devanagari: ['कखगघचछजझटठडढ', 'ािीुूेै'],
  han: ['狐犬猫鳥魚虫花木水火土金月日'],
  kana: ['あいうえおかきくけこ', 'アイウエオガギグ'],
  hangul: ['가나다라마바사아자차카타파하'],
  thai: ['กขคงจฉชซญดตถ', 'ะาิีุู'],
};
const SEPARATORS = [' ', ', ', '_', '-', '/', '. ', '\n', ' (', ') ', ':'];
const anyWord = fc
  .constantFrom(...Object.values(SCRIPTS))
  .chain((sets) => fc.array(fc.constantFrom(...Array.from(sets.join(''))), { minLength: 1, maxLength: 9 }))
  .map((letters) => letters.join(''));
const anyText = fc
  .array(fc.tuple(anyWord, fc.constantFrom(...SEPARATORS)), { minLength: 1, maxLength: 40 })
  .map((pairs) => pairs.flat().join(''));

test('every word of a text, in eight scripts, finds its item; so does every beginning of three characters', async () => {
  let user = 0;
  await fc.assert(
    fc.asyncProperty(anyText, async (text) => {
      const name = `texts-${(user += 1)}`;
      const id = await store({ prompt: text }, name);
      const typed = text.split(/[\s_,./():-]+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
      for (const word of new Set(typed)) {
        expect([text, word, await find(word, name)]).toEqual([text, word, [id]]);
        const [first] = wordsOf(word);
        const start = Array.from(word).slice(0, 4).join('');
        if (first?.unspaced === false && Array.from(first.text).length > 4 && wordsOf(start).length === 1)
          expect([text, `${start}*`, await find(`${start}*`, name)]).toEqual([text, `${start}*`, [id]]);
      }
    }),
    { numRuns: 25 },
  );
}, 120_000);

test.each([
  ['latin', Array.from({ length: 9000 }, (_value, index) => `word${index}`).join(' ')],
  [
    'han',
    Array.from({ length: 21_000 }, (_value, index) => String.fromCodePoint(0x4e00 + ((index * 7919) % 20_000))).join(
      '',
    ),
  ],
])('a prompt of 64 KiB is found by its last word: %s', async (_script, text) => {
  const end = ' zzyzx 蜃気楼';
  const prompt = text.slice(0, 65_000 / (text.charCodeAt(0) > 0x7f ? 3.1 : 1)) + end;
  const id = await store({ prompt }, 'long');
  expect(await find('zzyzx', 'long')).toContain(id);
  expect(await find('蜃気楼', 'long')).toContain(id);
});

describe('rows that are not split, or in an older way', () => {
  test('are split in batches, and are not found before; a row that changes meanwhile comes again', async () => {
    await sql`INSERT INTO generated_images (user_id, prompt, storage_url, tags, generation)
      SELECT 'old', 'ancient Straße ' || n, '', ARRAY['relic', NULL], '{"seed": 7}' FROM generate_series(1, 450) AS n`.execute(
      t.deps.db,
    );
    await sql`INSERT INTO generated_images (user_id, prompt, storage_url, search_words, search_version)
      VALUES ('old', 'ancient outdated', '', '''wrong'':1', 0)`.execute(t.deps.db);
    expect(await find('ancient', 'old')).toEqual([]);
    expect(await splitAgain(t.deps)).toBe(451);
    expect(await find('ancient strasse 450', 'old')).toHaveLength(1);
    expect(await find('relic', 'old')).toHaveLength(200);
    expect(await find('outdated', 'old')).toHaveLength(1);
    expect(await find('wrong', 'old')).toEqual([]);
    expect(await splitAgain(t.deps)).toBe(0);
  });

  test('stopping in the middle loses nothing', async () => {
    await sql`INSERT INTO generated_images (user_id, prompt, storage_url) SELECT 'stop', 'halfway', '' FROM generate_series(1, 600)`.execute(
      t.deps.db,
    );
    const stop = new AbortController();
    const done = await splitAgain(t.deps, stop.signal, () => stop.abort());
    expect(done).toBe(200);
    expect(await splitAgain(t.deps)).toBe(400);
  });
});
