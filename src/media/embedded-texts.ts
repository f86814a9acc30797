import { constants, inflateSync } from 'node:zlib';
import { MAX_TAKE_BYTES } from './pull-reader.ts';

/** Most bytes of texts kept from one file, after decompression. */
const MAX_TOTAL_BYTES = MAX_TAKE_BYTES;
/** Most texts and failures to read one. Bounds the cost of a file with many tiny chunks. */
const MAX_TEXTS = 64;
const MAX_NOTES = 8;

/** The texts embedded in a file, by keyword, within the limits above. No method throws. */
export class EmbeddedTexts {
  /** The first text of each keyword. The keyword of an EXIF tag is its name; that of XMP is `XMP`, of a JPEG comment `COM`. */
  readonly texts = new Map<string, string>();
  /** Why texts could not be read. */
  readonly notes: string[] = [];
  /** Whether the file has a C2PA manifest. */
  c2pa = false;
  #left = MAX_TOTAL_BYTES;
  #count = 0;

  /** Whether a chunk of `bytes` bytes may be read; adds a note when not. */
  accepts(keyword: string, bytes: number): boolean {
    if (bytes <= this.#left && this.#count < MAX_TEXTS) return true;
    this.note(`${keyword} was left unread: it has ${bytes} bytes, too many for what is kept of one file`);
    return false;
  }

  add(keyword: string, found: string): void {
    let end = found.length;
    // Some tools end their texts like strings of C.
    while (end > 0 && found.charCodeAt(end - 1) === 0) end -= 1;
    const text = found.slice(0, end);
    this.#count += 1;
    this.#left -= text.length;
    if (this.#left < 0) this.note(`${keyword} was left out: the file holds too much text`);
    // Of many short texts, such as the tags of a piece of music, the first are enough.
    else if (this.#count > MAX_TEXTS) return;
    else if (text !== '' && !this.texts.has(keyword)) this.texts.set(keyword, text);
  }

  note(text: string): void {
    if (this.notes.length < MAX_NOTES && !this.notes.includes(text)) this.notes.push(text);
  }

  /** Decompresses a zlib stream. Returns undefined and adds a note when it is malformed or too large. */
  inflate(keyword: string, bytes: Uint8Array): Uint8Array | undefined {
    if (!this.accepts(keyword, bytes.length)) return undefined;
    try {
      return inflateSync(bytes, {
        maxOutputLength: Math.max(1, this.#left),
        finishFlush: constants.Z_SYNC_FLUSH,
      });
    } catch (error) {
      this.#count += 1;
      const tooLarge = (error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
      // A decompression bomb uses up the same budget, so that many bombs cost no more than one.
      if (tooLarge) this.#left = 0;
      this.note(`${keyword} was left out: ${tooLarge ? 'it unpacks to too much' : 'it cannot be decompressed'}`);
      return undefined;
    }
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes UTF-8 when the bytes are valid UTF-8, which other encodings rarely are by chance; otherwise Latin-1. */
export function decodeUtf8OrLatin1(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  }
}

/** A text up to its first zero character, which ends or pads texts in many formats. */
export function untilZero(text: string): string {
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}
