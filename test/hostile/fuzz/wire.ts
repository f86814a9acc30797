/** JSON text that is written verbatim: what `JSON.stringify` would never write. */
export class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A value of an earlier response, chosen when the request is sent. */
export class Link {
  readonly kind: string;
  /** Index among the values known by then. */
  readonly pick: number;
  constructor(kind: string, pick: number) {
    this.kind = kind;
    this.pick = pick;
  }
}

/** Replaces links by known values. */
export function resolve(value: unknown, known: (link: Link) => string): unknown {
  if (value instanceof Link) return known(value);
  if (value instanceof Raw || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((entry) => resolve(entry, known));
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, resolve(entry, known)]));
}

export function writeJson(value: unknown): string {
  if (value instanceof Raw) return value.text;
  if (Array.isArray(value)) return `[${value.map(writeJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  return `{${Object.entries(value)
    .map(([name, entry]) => `${JSON.stringify(name)}:${writeJson(entry)}`)
    .join(',')}}`;
}

/** A value of a query, a path or a form, as text. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : writeJson(value);
}

const UNRESERVED = /^[\w.~-]$/;

/** Percent-encoded, including half of a surrogate pair, as the three bytes that UTF-8 forbids. Raw text stays as it is. */
export function escape(value: unknown): string {
  if (value instanceof Raw) return [...value.text].map((each) => (/[!-~]/.test(each) ? each : escape(each))).join('');
  return [...textOf(value)]
    .map((character) => {
      if (UNRESERVED.test(character)) return character;
      const code = character.codePointAt(0) ?? 0;
      const bytes =
        code >= 0xd800 && code <= 0xdfff
          ? [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]
          : Buffer.from(character);
      return [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join('');
    })
    .join('');
}
