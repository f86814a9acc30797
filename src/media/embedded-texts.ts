import { constants, inflateSync } from 'node:zlib';
import { MAX_TAKE_BYTES } from './pull-reader.ts';

/** Bytes of texts that are kept of one file, after decompression. */
const MAX_TOTAL_BYTES = MAX_TAKE_BYTES;
/** Texts, and failures to read one; a file of nothing but tiny chunks costs no more. */
const MAX_TEXTS = 64;
const MAX_NOTES = 8;

/** The texts that a file carries beside its pixels: keyword → text, as far as they fit. Nothing here throws. */
export class EmbeddedTexts {
  /** The first text of each keyword counts. EXIF tags go by their names, XMP by `XMP`, a JPEG comment by `COM`. */
  readonly texts = new Map<string, string>();
  /** What could not be read, and why. */
  readonly notes: string[] = [];
  /** The file holds a C2PA manifest. */
  c2pa = false;
  #left = MAX_TOTAL_BYTES;
  #count = 0;

  /** Whether a chunk of so many bytes may be read; says so in a note when not. */
  accepts(keyword: string, bytes: number): boolean {
    if (bytes <= this.#left && this.#count < MAX_TEXTS) return true;
    this.note(`${keyword} was left unread: it has ${bytes} bytes, too many for what is kept of one file`);
    return false;
  }

  add(keyword: string, text: string): void {
    this.#count += 1;
    this.#left -= text.length;
    if (this.#left < 0 || this.#count > MAX_TEXTS) {
      this.note(`${keyword} was left out: the file holds too much text`);
    } else if (text !== '' && !this.texts.has(keyword)) {
      this.texts.set(keyword, text);
    }
  }

  note(text: string): void {
    if (this.notes.length < MAX_NOTES && !this.notes.includes(text)) this.notes.push(text);
  }

  /** Decompresses a zlib stream, as far as it fits; undefined, with a note, when it does not or is broken. */
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
      // What a bomb has cost is paid from the same purse, so that a file of bombs costs no more than one.
      if (tooLarge) this.#left = 0;
      this.note(`${keyword} was left out: ${tooLarge ? 'it unpacks to too much' : 'it cannot be decompressed'}`);
      return undefined;
    }
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 where the bytes are valid as such, which other texts hardly ever are by chance; else Latin-1. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  }
}
