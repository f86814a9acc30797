import { decodeUtf8OrLatin1 } from '../../embedded-texts.ts';
import { u16be, u32be } from '../../byte-order.ts';
import { take, type Pull } from '../../pull-reader.ts';
import { eachBox, MAX_TABLE_BYTES, takeBody, type Walk } from './boxes.ts';

const MAX_NAMES = 4096;
/** Codes of four letters that stand for a name (Apple's QuickTime File Format, user data). */
const CODES: Readonly<Record<string, string>> = {
  '\xa9cmt': 'comment',
  '\xa9des': 'description',
  desc: 'description',
  '\xa9inf': 'description',
};

/**
 * `udta`: the texts of QuickTime under their codes, and `meta` as in MP4.
 */
export function* readUserData(walk: Walk, end: number): Pull {
  yield* eachBox(walk, end, function* (type, bodyEnd) {
    if (type === 'meta') return yield* readTags(walk, bodyEnd);
    const name = CODES[type];
    const bytes = bodyEnd - walk.source.position;
    if (name === undefined || bytes < 5 || !walk.found.texts.accepts(name, bytes)) return;
    const body = yield* take(bytes);
    // A length and a language precede the text. Newer files have boxes here, as in `ilst`.
    if (u16be(body, 0) === bytes - 4) walk.found.texts.add(name, decodeUtf8OrLatin1(body.subarray(4)));
  });
}

/**
 * `meta` with `ilst`: texts under four-letter codes (`©cmt`), or under names from `keys`. ComfyUI writes the generation data of
 * videos there.
 */
export function* readTags(walk: Walk, end: number): Pull {
  const { texts } = walk.found;
  let names: string[] = [];
  yield* take(4);
  yield* eachBox(walk, end, function* (type, bodyEnd) {
    if (type === 'keys') names = keyNames(yield* takeBody(walk, bodyEnd, MAX_TABLE_BYTES));
    if (type !== 'ilst') return;
    yield* eachBox(walk, bodyEnd, function* (item, itemEnd) {
      const number = u32be(Buffer.from(item, 'latin1'), 0);
      const name = CODES[item] ?? names[number - 1];
      if (name === undefined) return;
      yield* eachBox(walk, itemEnd, function* (data, dataEnd) {
        const bytes = dataEnd - walk.source.position;
        if (data !== 'data' || !texts.accepts(name, bytes)) return;
        // The text follows a type and a language.
        texts.add(name, decodeUtf8OrLatin1((yield* take(bytes)).subarray(8)));
      });
    });
  });
}

function keyNames(body: Uint8Array): string[] {
  const names: string[] = [];
  for (let at = 8; at + 8 <= body.length && names.length < MAX_NAMES;) {
    const size = u32be(body, at);
    if (size < 8) break;
    names.push(decodeUtf8OrLatin1(body.subarray(at + 8, at + size)).replace('com.apple.quicktime.', ''));
    at += size;
  }
  return names;
}
