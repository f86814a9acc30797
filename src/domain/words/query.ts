import { AppError } from '../../errors.ts';
import { type Word, wordsOf } from './split.ts';

/** Fewer characters would match most of the words. */
const MIN_PREFIX = 3;

/** `"a phrase"`, `-left out`, `or`, or a word, up to the next white space. */
const TERM = /(?<not>-?)(?:"(?<phrase>[^"]*)"?|(?<word>[^\s"]+))/gu;

/**
 * What a person typed, as PostgreSQL's `tsquery`: all words must be there; `"…"` is a phrase, `-` leaves a word out, `or` stands
 * between alternatives, and `*` ends the beginning of a word. Empty when there is no word in it, which matches nothing.
 * @throws AppError invalid_request: a beginning is too short
 */
export function tsqueryOf(typed: string): string {
  const alternatives: string[][] = [[]];
  for (const { groups = {} } of typed.matchAll(TERM)) {
    const { not = '', phrase, word = '' } = groups;
    if (phrase === undefined && not === '' && /^or$/i.test(word)) {
      alternatives.push([]);
      continue;
    }
    const term = phrase === undefined ? allOf(word) : inOrder(phrase);
    if (term !== '') alternatives.at(-1)?.push(not === '' ? term : `!(${term})`);
  }
  return alternatives
    .filter((terms) => terms.length > 0)
    .map((terms) => terms.join(' & '))
    .join(' | ');
}

/** Words without the last character of each run of a script without spaces, which the pair before it holds. */
function asked(text: string): { word: Word; alone: boolean }[] {
  const words = wordsOf(text);
  return words.flatMap((word, index) => {
    const before = words[index - 1];
    const alone = word.unspaced && Array.from(word.text).length === 1;
    const covered =
      alone &&
      before?.unspaced === true &&
      Array.from(before.text).at(-1) === word.text &&
      Array.from(before.text).length > 1;
    return covered ? [] : [{ word, alone }];
  });
}

/** The last asterisk of a row, wide or not, that no letter follows: those of `light*,` and `light**`, not that of `fox*bar`. */
const ASTERISK = /[*＊](?![\p{L}\p{N}\p{M}*＊])/u;
const ENDS_IN_LETTER = /[\p{L}\p{N}\p{M}]$/u;

/** One term as it was typed; it may hold several words, like `red-fox`, `狐と犬` or `light*,snow*`. */
function allOf(term: string): string {
  const pieces = term.split(ASTERISK);
  return pieces
    .map((piece, index) => wordsIn(piece, index < pieces.length - 1 && ENDS_IN_LETTER.test(withoutAsterisks(piece))))
    .filter((words) => words !== '')
    .join(' & ');
}

/** A text without asterisks at its end. */
function withoutAsterisks(text: string): string {
  let end = text.length;
  while (end > 0 && '*＊'.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

/** All words of a text; of the last one maybe the beginning alone. @throws AppError invalid_request: it is too short */
function wordsIn(text: string, prefix: boolean): string {
  const words = asked(text);
  return words
    .map(({ word, alone }, index) => {
      if (!prefix || index < words.length - 1 || word.unspaced) return lexeme(word, alone);
      if (Array.from(word.text).length < MIN_PREFIX)
        throw new AppError('invalid_request', `'q' needs at least ${MIN_PREFIX} characters before an asterisk.`, {
          field: 'q',
        });
      return lexeme(word, true);
    })
    .join(' & ');
}

function inOrder(phrase: string): string {
  const words = asked(phrase);
  let last = 0;
  return words.reduce((query, { word, alone }, index) => {
    const step = index === 0 ? '' : ` <${word.position - last}> `;
    last = word.position;
    return `${query}${step}${lexeme(word, alone)}`;
  }, '');
}

/** A character that stands alone begins the pairs in which it was written. */
const lexeme = ({ text }: Word, isBeginning: boolean): string => `'${text}'${isBeginning ? ':*' : ''}`;
