import type { Json } from './json.ts';
import { randomBytes } from 'node:crypto';
import { isAscii } from 'node:buffer';
import { setImmediate as nextTick } from 'node:timers/promises';
import { AppError } from '../errors.ts';
import { repairJson } from './repair-json.ts';
import { storable } from './storable-text.ts';
import { type JsonLimits, scanJson } from './scan.ts';

/** Limits for JSON that the service reads from its stores and from ComfyUI, to which no setting applies. */
const DEFAULT_JSON_LIMITS: JsonLimits = { structureBytes: 4 * 1024 * 1024, values: 200_000 };

export interface ParseOptions {
  limits: JsonLimits;
  /**
   * `strict`: a key that could change a prototype is an error. `lenient`, for providers, which cannot correct what they send: such keys are
   * dropped, characters that PostgreSQL cannot store are replaced, and integers beyond 2^53 (seeds) become strings.
   */
  mode: 'strict' | 'lenient';
}

const LARGE_TEXT = 16 * 1024 * 1024;

/** Short placeholders for long strings. A sender cannot guess their prefix. */
interface StandIns {
  prefix: string;
  strings: readonly { start: number; end: number }[];
}

/**
 * Parses JSON in UTF-8. `scanJson` first refuses bodies that would take too much time or memory. Long strings (base64) are decoded
 * separately, so that each is in memory only once. Lets other work run between the steps.
 * @throws AppError invalid_json, json_too_complex, invalid_request (nested too deep)
 */
export async function parseJson(body: Buffer, { limits, mode }: ParseOptions): Promise<Json> {
  const shape = await scanJson(body, limits);
  if (shape.values === 0) throw new AppError('invalid_json', 'The body is empty; send a JSON object.');
  const standIns = { prefix: randomBytes(18).toString('base64url'), strings: shape.long };
  const text = decode(withStandIns(body, standIns));
  await nextTick();
  const parsed = mode === 'lenient' ? parseLenient(text, shape.longNumbers) : parse(text, false);
  // The text of a large body is garbage now. Collect it, or the heap grows by the next step's strings first.
  if (text.length > LARGE_TEXT) globalThis.gc?.();
  await nextTick();
  const finished = await finish(parsed, { body, standIns, mode });
  await nextTick();
  return finished;
}

/** @param ignoreBOM keep a byte order mark as part of the text */
function decode(bytes: Uint8Array, ignoreBOM = false): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM }).decode(bytes);
  } catch (error) {
    throw new AppError('invalid_json', 'The body is not valid UTF-8.', { cause: error });
  }
}

function withStandIns(body: Buffer, { prefix, strings }: StandIns): Buffer {
  if (strings.length === 0) return body;
  const pieces: Buffer[] = [];
  let at = 0;
  for (const [index, { start, end }] of strings.entries()) {
    pieces.push(body.subarray(at, start), Buffer.from(`${prefix}${index}`));
    at = end;
  }
  pieces.push(body.subarray(at));
  return Buffer.concat(pieces);
}

function parse(text: string, exactIntegers: boolean): unknown {
  try {
    if (!exactIntegers) return JSON.parse(text);
    // The types lack the reviver's third argument, whose `source` is the value's text.
    const parseWithSource = JSON.parse as (
      text: string,
      reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
    ) => unknown;
    return parseWithSource(text, (_key, value, { source }) =>
      typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source ?? '') ? source : value,
    );
  } catch (error) {
    throw new AppError('invalid_json', 'The body is not valid JSON.', { cause: error });
  }
}

/** Python writes `NaN` and `Infinity`, which are no JSON, for numbers that failed; they become null. */
function parseLenient(text: string, exactIntegers: boolean): unknown {
  const repaired = repairJson(text, { quoteIntegers: false });
  return parse(repaired, exactIntegers);
}

/** Parses the JSON of a provider or of ComfyUI. @throws AppError invalid_json, json_too_complex, invalid_request */
export function parseProviderJson(body: Buffer, limits = DEFAULT_JSON_LIMITS): Promise<Json> {
  return parseJson(body, { limits, mode: 'lenient' });
}

interface Finishing {
  body: Buffer;
  standIns: StandIns;
  mode: ParseOptions['mode'];
}

/** Puts the long strings back and checks every name. The scan has limited the number of values. */
async function finish(parsed: unknown, { body, standIns, mode }: Finishing): Promise<Json> {
  const long = await decodeAll(body, standIns.strings);
  const { prefix } = standIns;
  const finished = (value: unknown): unknown => {
    if (typeof value !== 'string') return value;
    const text =
      long.length > 0 && value.length < prefix.length + 10 && value.startsWith(prefix)
        ? (long[Number(value.slice(prefix.length))] ?? value)
        : value;
    return mode === 'lenient' ? storable(text) : text;
  };
  const root = { value: parsed };
  const left: (Record<string, unknown> | unknown[])[] = [root];
  for (let container = left.pop(); container; container = left.pop()) {
    if (Array.isArray(container)) {
      for (const [index, entry] of container.entries()) {
        if (typeof entry === 'string') container[index] = finished(entry);
        else if (typeof entry === 'object' && entry !== null) left.push(entry as unknown[]);
      }
      continue;
    }
    for (const name of Object.keys(container)) {
      if (name === '__proto__' || (name === 'constructor' && holdsPrototype(container[name]))) {
        if (mode === 'strict') throw forbiddenName();
        delete container[name];
        continue;
      }
      const entry = container[name];
      if (typeof entry === 'string') container[name] = finished(entry);
      else if (typeof entry === 'object' && entry !== null) left.push(entry as Record<string, unknown>);
    }
  }
  return root.value as Json;
}

function holdsPrototype(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype');
}

function forbiddenName(): AppError {
  return new AppError(
    'invalid_json',
    'The body is not valid JSON, or has a key that is not allowed (__proto__, constructor.prototype).',
  );
}

async function decodeAll(body: Buffer, strings: StandIns['strings']): Promise<string[]> {
  const decoded: string[] = [];
  let bytes = 0;
  for (const { start, end } of strings) {
    decoded.push(decodeLong(body.subarray(start, end)));
    bytes += end - start;
    if (bytes < TURN_BYTES) continue;
    bytes = 0;
    await nextTick();
  }
  return decoded;
}
const TURN_BYTES = 8 * 1024 * 1024;

function decodeLong(bytes: Buffer): string {
  if (holdsControlCharacter(bytes))
    throw new AppError('invalid_json', 'A text in the body holds a raw control character.');
  return isAscii(bytes) ? bytes.toString('latin1') : decode(bytes, true);
}

/** RFC 8259 forbids control characters in a string. JSON.parse never sees these strings, so they are checked here, four bytes at a time. */
function holdsControlCharacter(bytes: Buffer): boolean {
  const aligned = Math.min(bytes.length, (4 - (bytes.byteOffset % 4)) % 4);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + aligned, (bytes.length - aligned) >> 2);
  for (let at = 0; at < aligned; at += 1) if ((bytes[at] ?? 0) < 0x20) return true;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? 0;
    // True when a byte of the word is below 0x20: hasless(x, n) of "Bit Twiddling Hacks".
    if (((word - 0x20202020) & ~word & 0x80808080) !== 0) return true;
  }
  for (let at = aligned + words.length * 4; at < bytes.length; at += 1) if ((bytes[at] ?? 0) < 0x20) return true;
  return false;
}
