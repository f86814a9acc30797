import { setImmediate as nextTick } from 'node:timers/promises';
import { AppError } from '../errors.ts';

/** Limits of one JSON body. */
export interface JsonLimits {
  /** Bytes outside of string values: punctuation, numbers, white space, and the names of members. */
  structureBytes: number;
  /** Values of any kind: objects, arrays, strings, numbers, literals. */
  values: number;
}

/** The result of a scan. Positions are byte offsets in the body. */
export interface JsonShape {
  values: number;
  /** String values without escapes that are long enough to be decoded separately: from after the opening quote to the closing quote. */
  long: readonly { start: number; end: number }[];
  /** Whether a number has more digits than a double can represent exactly. */
  longNumbers: boolean;
}

/** Keeps recursive readers far from a stack overflow. Real bodies nest less deeply. */
const MAX_DEPTH = 1000;
const LONG_STRING_BYTES = 16 * 1024;
/** A double represents integers of this many digits exactly. */
const SAFE_DIGITS = 15;
/** Strings up to this length are scanned byte by byte. In longer ones `indexOf` finds the end. */
const SHORT_STRING_BYTES = 64;
/** Bytes scanned between two readings of the clock. */
const STRIDE = 32 * 1024;
const TURN_MS = 8;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Counts the values and structure of a JSON body before it is parsed: parsing takes up to a hundred bytes of memory for each byte of
 * structure, and cannot be interrupted. The scan takes linear time and lets other work run every few milliseconds. It does not validate.
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
  /** Inside a number or literal that is already counted as a value. */
  #inScalar = false;
  /** Start of the current string; -1 outside strings. */
  #stringStart = -1;
  #stringEscapes = false;
  /** The last complete string. If a colon follows, it was a name. */
  #lastString = { bytes: 0, long: false };
  /** The next backslash at or after the current position. It is remembered across strings, which keeps the scan linear. */
  #nextBackslash = -1;

  constructor(body: Buffer, limits: JsonLimits) {
    this.#body = body;
    this.#limits = limits;
  }

  shape(): JsonShape {
    return { values: this.#values, long: this.#long, longNumbers: this.#longNumbers };
  }

  /** Scans the next stretch. Returns true at the end of the body. */
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

  /** Scans up to the next string. */
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
        // Checked here too: a stretch of brackets alone could exceed the depth by far before the next check.
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

  /** The string before a colon was a name: it is not a value, and counts as structure. */
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
      // The search may have skipped past the end of this stretch.
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
