import { setImmediate as nextTick } from 'node:timers/promises';
import { AppError } from '../errors.ts';

/** What one JSON body may hold. */
export interface JsonLimits {
  /** Bytes outside of string values: punctuation, numbers, white space, and the names of members. */
  structureBytes: number;
  /** Values of any kind: objects, arrays, strings, numbers, literals. */
  values: number;
}

/** What the scan found; positions are bytes of the body. */
export interface JsonShape {
  values: number;
  /** String values without escapes that are long enough to be decoded apart: from behind the opening quote to the closing one. */
  long: readonly { start: number; end: number }[];
  /** Whether a number has so many digits that a double may not hold it. */
  longNumbers: boolean;
}

/** Recursive readers stay far from the end of the stack; nothing real nests deeper. */
const MAX_DEPTH = 1000;
const LONG_STRING_BYTES = 16 * 1024;
/** Digits of which a double keeps every one. */
const SAFE_DIGITS = 15;
/** So many bytes of a string are looked at one by one; what is longer is searched for its end. */
const SHORT_STRING_BYTES = 64;
/** Bytes between two looks at the clock. */
const STRIDE = 32 * 1024;
const TURN_MS = 8;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Counts what a JSON body holds before anything is made of it: parsing makes up to a hundred bytes of memory of each byte of structure,
 * and cannot be interrupted. Linear, and other requests get their turn every few milliseconds. Does not validate.
 * @throws AppError json_too_complex; invalid_request when it nests more than 1,000 levels deep
 */
export async function scanJson(body: Buffer, limits: JsonLimits): Promise<JsonShape> {
  const scan = new Scan(body, limits);
  for (;;) {
    const end = performance.now() + TURN_MS;
    do {
      if (scan.step()) return scan.shape();
    } while (performance.now() < end);
    await nextTick();
  }
}

class Scan {
  readonly #body: Buffer;
  readonly #limits: JsonLimits;
  readonly #long: { start: number; end: number }[] = [];
  #at = 0;
  #values = 0;
  #structure = 0;
  #depth = 0;
  #digits = 0;
  #longNumbers = false;
  /** Within a number or a literal, whose first byte has been counted as a value. */
  #inScalar = false;
  /** Where the string began that is being read; -1: none is. */
  #stringStart = -1;
  #stringEscapes = false;
  /** The last string that ended: a colon behind it makes it a name. */
  #lastString = { bytes: 0, long: false };
  /** The first backslash not before the current place; looked for once for all strings, or the scan would not be linear. */
  #nextBackslash = -1;

  constructor(body: Buffer, limits: JsonLimits) {
    this.#body = body;
    this.#limits = limits;
  }

  shape(): JsonShape {
    return { values: this.#values, long: this.#long, longNumbers: this.#longNumbers };
  }

  /** Goes on for a stretch; true at the end of the body. */
  step(): boolean {
    const stop = Math.min(this.#body.length, this.#at + STRIDE);
    while (this.#at < stop) {
      if (this.#stringStart >= 0) this.#string(stop);
      else this.#outside(stop);
    }
    this.#check();
    return this.#at >= this.#body.length;
  }

  #check(): void {
    const { values, structureBytes } = this.#limits;
    if (this.#values > values) throw tooComplex(`more than ${values} values`);
    if (this.#structure > structureBytes) throw tooComplex(`more than ${structureBytes} bytes outside of its strings`);
    if (this.#depth > MAX_DEPTH)
      throw new AppError('invalid_request', `The JSON is nested more than ${MAX_DEPTH} levels deep.`);
  }

  /** Up to the next string. */
  #outside(stop: number): void {
    const body = this.#body;
    let at = this.#at;
    for (; at < stop; at += 1) {
      const byte = body[at] ?? 0;
      if (byte === QUOTE) {
        this.#inScalar = false;
        this.#values += 1;
        this.#stringStart = at + 1;
        this.#stringEscapes = false;
        break;
      }
      this.#punctuation(byte);
    }
    this.#structure += at - this.#at;
    this.#at = at < stop ? at + 1 : stop;
  }

  #punctuation(byte: number): void {
    switch (byte) {
      case 0x7b: // {
      case 0x5b: // [
        this.#inScalar = false;
        this.#values += 1;
        this.#depth += 1;
        // Checked here, because a stretch of brackets alone would else be deep before it is looked at.
        if (this.#depth > MAX_DEPTH) this.#check();
        return;
      case 0x7d: // }
      case 0x5d: // ]
        this.#depth -= 1;
        this.#inScalar = false;
        return;
      case 0x3a: // :
        this.#name();
        return;
      case 0x2c: // ,
      case 0x20:
      case 0x09:
      case 0x0a:
      case 0x0d:
        this.#inScalar = false;
        return;
      default:
        this.#scalar(byte);
    }
  }

  #scalar(byte: number): void {
    if (!this.#inScalar) {
      this.#inScalar = true;
      this.#values += 1;
      this.#digits = 0;
    }
    this.#digits = byte >= 0x30 && byte <= 0x39 ? this.#digits + 1 : 0;
    if (this.#digits > SAFE_DIGITS) this.#longNumbers = true;
  }

  /** The string before a colon was a member's name: no value, and part of the structure. */
  #name(): void {
    this.#inScalar = false;
    this.#values -= 1;
    this.#structure += this.#lastString.bytes;
    if (this.#lastString.long) this.#long.pop();
    this.#lastString = { bytes: 0, long: false };
  }

  #string(stop: number): void {
    const body = this.#body;
    let plain = 0;
    for (let at = this.#at; at < stop; at += 1) {
      const byte = body[at];
      if (byte === QUOTE) return this.#endString(at);
      if (byte === BACKSLASH) {
        this.#stringEscapes = true;
        at += 1;
        plain = 0;
      } else plain += 1;
      this.#at = at + 1;
      if (plain < SHORT_STRING_BYTES) continue;
      const quote = body.indexOf(QUOTE, at);
      const end = quote === -1 ? body.length : quote;
      if (this.#backslashFrom(at) > end) {
        this.#at = end;
        if (quote !== -1) this.#endString(quote);
        return;
      }
      at = this.#backslashFrom(at) - 1;
      plain = 0;
      // A long way may have been skipped.
      if (at >= stop) {
        this.#at = at + 1;
        return;
      }
    }
  }

  #backslashFrom(at: number): number {
    if (this.#nextBackslash < at) {
      const found = this.#body.indexOf(BACKSLASH, at);
      this.#nextBackslash = found === -1 ? Number.POSITIVE_INFINITY : found;
    }
    return this.#nextBackslash;
  }

  #endString(quote: number): void {
    const start = this.#stringStart;
    const bytes = quote - start;
    const long = bytes >= LONG_STRING_BYTES && !this.#stringEscapes;
    if (long) this.#long.push({ start, end: quote });
    this.#lastString = { bytes, long };
    this.#stringStart = -1;
    this.#at = quote + 1;
  }
}

function tooComplex(what: string): AppError {
  return new AppError(
    'json_too_complex',
    `The JSON has ${what}; send less at once, or send the file as a raw body or as multipart/form-data.`,
  );
}
