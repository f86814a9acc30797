import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ITEM_INDEXES } from '../../../migrations/0003_words_and_revisions.ts';
import { WORDS_VERSION, wordsOf } from '../../../src/domain/words/split.ts';
import { tsqueryOf } from '../../../src/domain/words/query.ts';
import { tsvectorOf } from '../../../src/domain/words/vector.ts';

const words = (text: string) => wordsOf(text).flatMap(({ text: word, parts }) => [word, ...parts]);

describe('splitting', () => {
  test.each([
    ['red_fox_0001.png', ['red', 'fox', '0001', 'png']],
    ['Fox’s den, fox-like', ['fox', 's', 'den', 'fox', 'like']],
    ['black-forest-labs/flux-schnell', ['black', 'forest', 'labs', 'flux', 'schnell']],
    ['<lora:Detail_Tweaker:0.8>', ['lora', 'detail', 'tweaker', '0', '8']],
    ['DetailTweakerXL sd15', ['detailtweakerxl', 'detail', 'tweaker', 'xl', 'sd15', 'sd', '15']],
    ['café Straße STRASSE ﬁne', ['cafe', 'strasse', 'strasse', 'fine']],
    ['ＦＯＸ１２ ｶﾞ', ['fox12', 'fox', '12', 'ガ']],
    ['Øresund Łódź Æon İstanbul ılık', ['oresund', 'lodz', 'aeon', 'istanbul', 'ilik']],
    ['ΟΔΟΣ οδός', ['οδοσ', 'οδοσ']],
    ['مُحَمَّد می‌خواهم', ['محمد', 'میخواهم']],
    ['赤い狐', ['赤い', 'い狐', '狐']],
    ['AI로 그림', ['ai', '로', '그림', '림']],
    ['a 🦊 and 🇫🇷', ['a', '🦊', 'and', '🇫🇷']],
    ['हिन्दी में', ['हिन्दी', 'में']],
    ['soft­ly zero​width', ['softly', 'zero', 'width']],
  ])('%j', (text, expected) => {
    expect(words(text)).toEqual(expected);
  });

  test('a word of a megabyte is cut alike when it is written and when it is asked', () => {
    const long = 'x'.repeat(1_000_000);
    expect(words(long)).toEqual(['x'.repeat(64)]);
    expect(tsqueryOf(long)).toBe(`'${'x'.repeat(64)}'`);
  });

  test('splitting what was split changes nothing, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        for (const { text: word, unspaced } of wordsOf(text))
          if (!unspaced) expect(wordsOf(word).map((each) => each.text)).toEqual([word]);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('what is asked', () => {
  test.each([
    ['red fox', "'red' & 'fox'"],
    ['"red fox"', "'red' <1> 'fox'"],
    ['"red fox', "'red' <1> 'fox'"],
    ['fox -red', "'fox' & !('red')"],
    ['fox or wolf bear', "'fox' | 'wolf' & 'bear'"],
    ['OR fox', "'fox'"],
    ['-"red fox"', "!('red' <1> 'fox')"],
    ['flux-sch*', "'flux' & 'sch':*"],
    ['light**', "'light':*"],
    ['light*, snow*.', "'light':* & 'snow':*"],
    ['(light*)', "'light':*"],
    ['light*,snow*;fox', "'light':* & 'snow':* & 'fox'"],
    ['light＊', "'light':*"],
    ['fox*bar', "'fox' & 'bar'"],
    ['*fox', "'fox'"],
    ['ab-*', "'ab'"],
    ['-light*,', "!('light':*)"],
    ['fox.png', "'fox' & 'png'"],
    ['狐', "'狐':*"],
    ['狐*', "'狐':*"],
    ['赤い狐', "'赤い' & 'い狐'"],
    ['"赤い狐 fox"', "'赤い' <1> 'い狐' <2> 'fox'"],
    ['!!! ** -', ''],
    ["it's", "'it' & 's'"],
  ])('%j', (typed, query) => {
    expect(tsqueryOf(typed)).toBe(query);
  });

  test.each(['li*', 'a-li*', 'ø*', 'fox ab*', 'li*,', '(li*)', 'li＊', 'light*,li*', '-li*'])(
    '%j has too short a beginning',
    (typed) => {
      expect(() => tsqueryOf(typed)).toThrow(/at least 3 characters before an asterisk/);
    },
  );

  test('nothing but words, operators and distances reaches PostgreSQL, whatever is typed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (typed) => {
        let query = '';
        try {
          query = tsqueryOf(typed);
        } catch {
          return;
        }
        expect(query.replaceAll(/'[\p{L}\p{N}\p{M}\p{RI}\p{Extended_Pictographic}]+'(:\*)?/gu, 'w')).toMatch(
          /^$|^!?\(?w[w &|!()<>\d]*$/,
        );
      }),
      { numRuns: 5000 },
    );
  });
});

test('words beyond the places that are counted are written all the same, and a word has at most 255 places', () => {
  const many = Array.from({ length: 20_000 }, (_value, index) => `w${index}`).join(' ');
  const vector = tsvectorOf([many, 'again '.repeat(1000)]);
  expect(vector).toContain("'w19999':16383");
  expect(/'again':(\S+)/.exec(vector)?.[1]?.split(',')).toEqual(['16383']);
  expect(/'x':(\S+)/.exec(tsvectorOf(['x '.repeat(1000)]))?.[1]?.split(',')).toHaveLength(255);
});

test('no phrase spans two texts', () => {
  expect(tsvectorOf(['red', 'fox'])).toBe("'red':1 'fox':3");
});

test('the index of rows that are still to be split names the version of today', () => {
  const unsplit = ITEM_INDEXES.find(({ name }) => name === 'generated_images_unsplit');
  expect(unsplit?.on).toBe(`(id) WHERE search_version IS DISTINCT FROM ${WORDS_VERSION}`);
});
