import { latin1, u32be } from '../byte-order.ts';
import { addExifTexts } from '../exif.ts';
import { MAX_ELEMENTS, type FormatParser } from './findings.ts';
import { addPngText } from '../png-texts.ts';
import { skip, take } from '../pull-reader.ts';

const TEXT_CHUNKS = new Set(['tEXt', 'zTXt', 'iTXt']);

/** Reads the size from IHDR, and the texts before and after the pixels. */
export const parsePng: FormatParser = function* (found) {
  const head = yield* take(24);
  found.width = u32be(head, 16);
  found.height = u32be(head, 20);
  yield* skip(u32be(head, 8) - 8 + 4);
  const { texts } = found;
  for (let i = 0; i < MAX_ELEMENTS; i++) {
    const chunk = yield* take(8);
    const length = u32be(chunk, 0);
    const type = latin1(chunk, 4, 4);
    if (type === 'IEND') return;
    if (type === 'caBX') texts.c2pa = true;
    const known = TEXT_CHUNKS.has(type) || type === 'eXIf';
    if (!known || !texts.accepts(`a ${type} chunk`, length)) {
      yield* skip(length + 4);
      continue;
    }
    const data = yield* take(length);
    if (type === 'eXIf') addExifTexts(texts, data);
    else addPngText(texts, type, data);
    yield* skip(4);
  }
};
