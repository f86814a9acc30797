import fc from 'fast-check';
import { Raw } from './wire.ts';

const DEPTH = 100_000;

/** Texts that something behind an API may interpret. */
const HOSTILE_TEXTS: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'a\udc00b',
  '\u202Egnp.exe',
  '\u200b',
  'e\u0301',
  '\ufeff',
  '../../etc/passwd',
  '..\\..\\x',
  '%2e%2e%2f',
  '%00',
  '/etc/passwd',
  '.git',
  "'; DROP TABLE generated_images; --",
  '{x}',
  'NULL',
  '"',
  '\\',
  '%',
  '_',
  '*',
  "a & b | !c :* <-> ('",
  'infinity',
  '-infinity',
  'now',
  '290000-01-01T00:00:00Z',
  '0000-00-00',
  '2026-02-30T25:61:61Z',
  'NaN',
  'Infinity',
  '1e3',
  '1.5',
  '-1',
  '0',
  '9223372036854775807',
  '9223372036854775808',
  'true',
  'null',
  'undefined',
  '[object Object]',
  '__proto__',
  'constructor',
  'toString',
  'http://169.254.169.254/latest/meta-data',
  'http://[::ffff:127.0.0.1]/',
  'http://0x7f000001/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'data:image/png;base64,AAAA',
  'data:,',
  '\r\nSet-Cookie: a=b',
  'a\tb\nc',
  '🦊'.repeat(300),
  'x'.repeat(2001),
  'x'.repeat(70_000),
];

/** JSON values that no schema expects. */
const HOSTILE_VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  2 ** 53 + 1,
  -(2 ** 63),
  [],
  {},
  [[]],
  [null],
  new Raw('1e400'),
  new Raw('-1e400'),
  new Raw('-0'),
  new Raw('1e-400'),
  new Raw('9'.repeat(400)),
  new Raw('{"__proto__":{"polluted":true}}'),
  new Raw('{"\\u005f_proto__":{"polluted":true}}'),
  new Raw('{"constructor":{"prototype":{"polluted":true}}}'),
  new Raw('{"a":1,"a":2}'),
  new Raw('{"":""}'),
  new Raw('{"\\u0000":1}'),
  new Raw('"\\ud800"'),
  new Raw('"\\u0000"'),
  new Raw('"\0"'),
  new Raw(`${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}`),
  new Raw(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`),
  new Raw(`[${'1,'.repeat(10_000)}1]`),
  new Raw(`{${Array.from({ length: 5000 }, (_value, index) => `"k${index}":${index}`).join(',')}}`),
];

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...HOSTILE_TEXTS) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
);

export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...HOSTILE_VALUES) },
  { weight: 2, arbitrary: hostileText },
  { weight: 1, arbitrary: fc.double() },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3, noUnicodeString: false }) },
);

export interface Mutation {
  kind: 'replace' | 'drop' | 'add';
  /** Index of the place in the value. */
  place: number;
  name: string;
  value: unknown;
}

export const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('replace', 'replace', 'replace', 'drop', 'add'),
  place: fc.nat(1000),
  name: fc.oneof(fc.constantFrom('extra', 'id', 'userId', 'storageKey', 'deletedAt', '', '__proto_'), hostileText),
  value: hostileValue,
});

/** A copy of a JSON value that differs in one place. */
export function mutate(value: unknown, { kind, place, name, value: other }: Mutation): unknown {
  const copy = structuredCloneKeeping(value);
  const places = placesOf(copy);
  const at = places[place % Math.max(1, places.length)];
  if (!at) return other;
  const { holder, key } = at;
  if (kind === 'drop' && !Array.isArray(holder)) delete holder[key];
  else if (kind === 'add' && !Array.isArray(holder)) holder[name] = other;
  else (holder as Record<string | number, unknown>)[key] = other;
  return copy;
}

type Holder = Record<string, unknown> | unknown[];

function placesOf(value: unknown): { holder: Holder; key: string }[] {
  if (!isHolder(value)) return [];
  return Object.entries(value).flatMap(([key, entry]) => [{ holder: value, key }, ...placesOf(entry)]);
}

const isHolder = (value: unknown): value is Holder =>
  Array.isArray(value) ||
  (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype);

/** Copies arrays and plain objects; raw text and links are kept. */
function structuredCloneKeeping(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(structuredCloneKeeping);
  if (!isHolder(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, structuredCloneKeeping(entry)]));
}
