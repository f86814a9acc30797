import { u32le } from './byte-order.ts';
import { decodeUtf8OrLatin1, type EmbeddedTexts } from './embedded-texts.ts';

const MAX_COMMENTS = 256;

/** Adds the `name=value` pairs of a comment header (https://xiph.org/vorbis/doc/v-comment.html), with names in lower case. */
export function addVorbisComments(texts: EmbeddedTexts, body: Uint8Array): void {
  let at = 4 + u32le(body, 0);
  const count = Math.min(u32le(body, at), MAX_COMMENTS);
  at += 4;
  for (let i = 0; i < count; i++) {
    const end = at + 4 + u32le(body, at);
    if (!(end <= body.length)) return;
    const comment = decodeUtf8OrLatin1(body.subarray(at + 4, end));
    const equals = comment.indexOf('=');
    if (equals > 0) texts.add(comment.slice(0, equals).toLowerCase(), comment.slice(equals + 1));
    at = end;
  }
}
