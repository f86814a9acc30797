/** A URL is first cut to this many characters; the rest is not logged. */
const MAX_CHARACTERS = 2000;
/** Levels of nested escapes that are decoded. */
const MAX_DECODINGS = 4;
/** Parts of names of secret parameters, in lower case and without punctuation. */
const SECRET_WORDS = [
  'token',
  'secret',
  'signature',
  'password',
  'passwd',
  'apikey',
  'accesskey',
  'jwt',
  'authorization',
  'credential',
  'ticket',
];
const SECRET_NAMES = new Set(['sig', 'auth', 'bearer']);
const SEPARATORS = /([?&;#])/;
/**
 * A JWT or a token of a signed URL, whole or cut off. A JWT's header is JSON in base64url, which begins with `{"`. Escapes are part
 * of it.
 */
const TOKEN = /(?:eyJ|mku_)[\w.~%+=-]{6,}/g;
const ESCAPE = /%([0-9a-f]{2})/gi;
const STILL_ESCAPED = /%[0-9a-f]{2}/i;
const PUNCTUATION = /[^a-z0-9]+/g;
const REDACTED = '[redacted]';

/** A URL without secrets in its query or path, for the log. */
export function loggableUrl(url: string): string {
  const cut = url.slice(0, MAX_CHARACTERS);
  const start = cut.indexOf('?');
  const path = redactPath(start === -1 ? cut : cut.slice(0, start));
  if (start === -1) return path;
  return path + cut.slice(start).split(SEPARATORS).map(redactParameter).join('');
}

/** A text without what looks like a JWT or the token of a signed URL. */
export function withoutTokens(text: string): string {
  return text.slice(0, MAX_CHARACTERS).replace(TOKEN, REDACTED);
}

function redactPath(path: string): string {
  const plain = decoded(path);
  const signed = plain.search(/\/signed\//i);
  // Everything after it is removed, in plain text and in escapes.
  if (signed !== -1) return `${redactPath(plain.slice(0, signed))}${plain.slice(signed, signed + 8)}${REDACTED}`;
  return path.split('/').map(redactParameter).join('/');
}

/** `name=value`, or a segment of a path. */
function redactParameter(text: string): string {
  if (text.length < 2) return text;
  const plain = decoded(text);
  if (
    hasSecretParameter(plain) ||
    STILL_ESCAPED.test(plain) ||
    (plain !== text && plain.replace(TOKEN, '') !== plain)
  ) {
    const end = text.indexOf('=');
    return end === -1 ? REDACTED : `${text.slice(0, end).replace(TOKEN, REDACTED)}=${REDACTED}`;
  }
  return text.replace(TOKEN, REDACTED);
}

/** Also in a URL that is the value of a parameter. */
function hasSecretParameter(text: string): boolean {
  return (
    text.includes('=') &&
    text.split(SEPARATORS).some((part) => {
      const end = part.indexOf('=');
      if (end < 1) return false;
      const name = part.slice(0, end).toLowerCase().replace(PUNCTUATION, '');
      return SECRET_NAMES.has(name) || SECRET_WORDS.some((word) => name.includes(word));
    })
  );
}

/** Decodes escapes, one character per byte: names of secrets are ASCII, and broken escapes must not throw. */
function decoded(text: string): string {
  let plain = text;
  for (let times = 0; times < MAX_DECODINGS && plain.includes('%'); times += 1) {
    const next = plain.replace(ESCAPE, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (next === plain) break;
    plain = next;
  }
  return plain;
}
