/**
 * How texts are split into words, the same for what is written and what is asked. A change of what it returns needs another
 * `WORDS_VERSION` and a migration (CONTRIBUTING.md, "Change how words are split"), so that the rows that are there are split again.
 */

export const WORDS_VERSION = 1;

/** A word with its place in the text, from 1. */
export interface Word {
  text: string;
  position: number;
  /** Of a script without spaces between words: it is found by any part of it. */
  unspaced: boolean;
  /** Parts by which the word is found, too: `detail` and `tweaker` of `DetailTweaker`. */
  parts: readonly string[];
}

/** Longest word; the rest of a longer one, such as base64 in a prompt, is left out. */
const MAX_CHARACTERS = 64;
const MAX_PARTS = 8;

/**
 * Marks that people leave out: accents, Hebrew points, Arabic vowels, and the stroke that stretches an Arabic word. Those of kana
 * make another letter.
 */
const OPTIONAL_MARKS = /(?=\p{Mn})(?![\u3099\u309a])[\p{sc=Inherited}\p{sc=Hebrew}\p{sc=Arabic}]|\u0640/gu;
/** Characters without a shape of their own: they join, hint at breaks, or give a direction. */
const INVISIBLE = /(?!\u200b)\p{Cf}/gu;

/** Letters that are no letter with a mark, yet are typed as one. */
const PLAIN: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ł: 'l',
  ħ: 'h',
  ŧ: 't',
  ı: 'i',
  ς: 'σ',
};
const HAS_PLAIN = /[ßæœøđðþłħŧıς]/g;

/** Scripts without spaces between words, and Korean, whose words take endings. Their punctuation separates. */
const UNSPACED = String.raw`\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Bopomofo}\p{sc=Hangul}\p{sc=Yi}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Tibetan}\p{sc=Tai_Le}\p{sc=New_Tai_Lue}\p{sc=Tai_Tham}\p{sc=Javanese}\p{sc=Balinese}\u30fc\u3099\u309a`;
const LETTERS = /[\p{L}\p{N}\p{M}]+|\p{RI}{2}|\p{Extended_Pictographic}/gu;
/** A word is of one kind of script. */
const RUN = new RegExp(String.raw`[${UNSPACED}]+|[^${UNSPACED}]+`, 'gu');
const IS_UNSPACED = new RegExp(String.raw`^[${UNSPACED}]`, 'u');
/** A break that is not shown, inside of a script that has no others. */
const HIDDEN_BREAK = new RegExp(String.raw`(?<=[${UNSPACED}])\u200b(?=[${UNSPACED}\u200b])`, 'gu');
/** Where a word of several parts breaks: `DetailTweaker`, `sd15`, `XLBase`. */
const PART = /\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{Lo}\p{Lm}\p{M}]+|\p{N}+|\p{L}+/gu;
const ONE_CASE = /^(?:\p{Lu}?[\p{Ll}\p{Lo}\p{M}]+|\p{N}+)$/u;
const SIMPLE = /^[a-z]+$/;

/** Without differences that people do not type: width, case, accents, forms of one letter. */
function fold(word: string): string {
  if (SIMPLE.test(word)) return word;
  // Upper case first: it turns ligatures and final forms into plain letters.
  return word
    .toUpperCase()
    .toLowerCase()
    .replaceAll(HAS_PLAIN, (letter) => PLAIN[letter] ?? letter);
}

const ASCII = /^[\0-\x7f]*$/;
const ASCII_WORD = /[0-9a-z]+/gi;

/** One form for texts that look the same; case is kept, because it shows where words of several parts break. */
function normalise(text: string): string {
  const form = text.normalize('NFKD').replaceAll(OPTIONAL_MARKS, '').normalize('NFC').replaceAll(INVISIBLE, '');
  return form.includes('\u200b') ? form.replaceAll(HIDDEN_BREAK, '') : form;
}

/** The first characters of a word. */
function cut(word: string): string {
  return word.length <= MAX_CHARACTERS ? word : Array.from(word).slice(0, MAX_CHARACTERS).join('');
}

const NO_PARTS: readonly string[] = [];

function partsOf(word: string, whole: string): readonly string[] {
  if (SIMPLE.test(word) || ONE_CASE.test(word)) return NO_PARTS;
  const parts = (word.match(PART) ?? []).map(fold).filter((part) => part.length > 1 && part !== whole);
  return [...new Set(parts)].slice(0, MAX_PARTS);
}

/**
 * The words of a text, in order. Pairs of neighbours stand for scripts without spaces: each character begins one, and the last
 * stands alone.
 */
export function wordsOf(text: string): Word[] {
  const words: Word[] = [];
  let position = 0;
  const addSpaced = (found: string) => {
    const shown = cut(found);
    const whole = cut(fold(shown));
    words.push({ text: whole, position: (position += 1), unspaced: false, parts: partsOf(shown, whole) });
  };
  if (ASCII.test(text)) {
    for (const [found] of text.matchAll(ASCII_WORD)) addSpaced(found);
    return words;
  }
  for (const [letters] of normalise(text).matchAll(LETTERS))
    for (const [run] of letters.matchAll(RUN)) {
      if (!IS_UNSPACED.test(run)) {
        addSpaced(run);
        continue;
      }
      const characters = Array.from(fold(run));
      for (let index = 0; index < characters.length; index += 1)
        words.push({
          text: `${characters[index] ?? ''}${characters[index + 1] ?? ''}`,
          position: (position += 1),
          unspaced: true,
          parts: NO_PARTS,
        });
    }
  return words;
}
