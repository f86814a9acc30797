import { type Word, wordsOf } from './split.ts';

/** Limits of PostgreSQL's `tsvector`: places are counted to 16,383, and 255 of them are kept for a word. */
const LAST_POSITION = 16_383;
const MAX_POSITIONS = 255;
/** The words and places of a `tsvector` take at most 1 MiB. */
const MAX_BYTES = 900_000;

/**
 * Texts as PostgreSQL's `tsvector`, written out: its own parser sees words alone, never the texts. Between two texts the places leave
 * a gap, so that no phrase spans them.
 */
export function tsvectorOf(texts: Iterable<string>): string {
  const places = new Map<string, number[]>();
  let bytes = 0;
  const add = (word: string, position: number) => {
    const known = places.get(word);
    if (known === undefined) {
      bytes += Buffer.byteLength(word) + 8;
      if (bytes <= MAX_BYTES) places.set(word, [position]);
    } else if (known.length < MAX_POSITIONS && known.at(-1) !== position) {
      bytes += 2;
      known.push(position);
    }
  };
  let start = 0;
  for (const text of texts) {
    let last = 0;
    for (const word of wordsOf(text)) {
      last = word.position;
      const position = Math.min(LAST_POSITION, start + last);
      for (const each of formsOf(word)) add(each, position);
    }
    if (last > 0) start += last + 1;
  }
  return [...places].map(([word, positions]) => `'${word}':${positions.join(',')}`).join(' ');
}

const formsOf = ({ text, parts }: Word): readonly string[] => (parts.length === 0 ? [text] : [text, ...parts]);
