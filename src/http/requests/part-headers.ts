/** What the head of a part of a form says. */
export interface PartHead {
  name: string;
  filename: string | undefined;
  /** Media type, in lower case, without parameters. */
  type: string;
  charset: string | undefined;
}

/** Windows-1252 from 0x80 to 0x9f; the other bytes are those of Latin-1. */
const WINDOWS_1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text of unknown encoding: UTF-8, or else Windows-1252, which older clients in the West send. */
export function decodeText(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return bytes
      .toString('latin1')
      .replaceAll(/[\u0080-\u009f]/g, (character) => WINDOWS_1252[character.charCodeAt(0) - 0x80] ?? character);
  }
}

/** A field's text, in the encoding that its part declares. */
export function decodeField(bytes: Buffer, charset: string | undefined): string {
  if (charset === undefined || /^(utf-?8|us-ascii)$/i.test(charset)) return decodeText(bytes);
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return decodeText(bytes);
  }
}

/** The value of a header up to its first parameter, and the parameters by their names in lower case. */
function parametersOf(header: string): { value: string; parameters: Map<string, string> } {
  const parameters = new Map<string, string>();
  const pattern = /;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))/gs;
  for (const [, name = '', quoted, token = ''] of header.matchAll(pattern)) {
    const key = name.toLowerCase();
    // Only these are escapes: Windows paths hold backslashes.
    if (!parameters.has(key)) parameters.set(key, quoted?.replaceAll(/\\(["\\])/g, '$1') ?? token.trim());
  }
  return { value: (header.split(';', 1)[0] ?? '').trim().toLowerCase(), parameters };
}

/** A parameter as its bytes say it; browsers and curl write a quotation mark as `%22` (WHATWG HTML, 4.10.22.8). */
function plain(value: string | undefined): string | undefined {
  return value === undefined ? undefined : decodeText(Buffer.from(value, 'latin1')).replaceAll('%22', '"');
}

/** A parameter like `filename*=UTF-8''%e2%82%ac.png` (RFC 8187, 3.2); undefined when it cannot be read. */
function extended(value: string | undefined): string | undefined {
  const match = /^([^']*)'[^']*'(.*)$/s.exec(value ?? '');
  if (!match) return undefined;
  const [, charset = '', escaped = ''] = match;
  const bytes = Buffer.from(
    escaped.replaceAll(/%([0-9a-f]{2})/gi, (_escape, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    ),
    'latin1',
  );
  return decodeField(bytes, charset === '' ? undefined : charset);
}

/**
 * Reads the head of a part of a form.
 * @param headers values as the bytes came, each byte a character
 * @returns undefined when it is no part of a form, or has no name
 */
export function readPartHead(headers: Readonly<Record<string, readonly string[] | undefined>>): PartHead | undefined {
  const disposition = parametersOf(headers['content-disposition']?.[0] ?? '');
  const name = plain(disposition.parameters.get('name'));
  if (disposition.value !== 'form-data' || name === undefined) return undefined;
  const type = parametersOf(headers['content-type']?.[0] ?? '');
  const filename = extended(disposition.parameters.get('filename*')) || plain(disposition.parameters.get('filename'));
  return {
    name,
    filename: filename?.split(/[\\/]/).at(-1),
    type: type.value || 'text/plain',
    charset: type.parameters.get('charset'),
  };
}

/** The delimiter that the Content-Type of a form names. */
export function boundaryOf(contentType: string): string | undefined {
  return parametersOf(contentType).parameters.get('boundary') || undefined;
}
