/**
 * The root element of a document: its name with its prefix, and its attributes with unresolved entities.
 * `attributes` is null when the tag is not well-formed XML (an unquoted value, a stray character).
 */
export interface XmlRoot {
  name: string;
  /** The name in the document type declaration, in lower case; empty without one. */
  doctype: string;
  attributes: Map<string, string> | null;
}

/** `cut`: the text ended before the root's tag did. `none`: the text does not begin as markup. */
export type XmlRootResult = XmlRoot | 'cut' | 'none';

const SPACE = /\s*/y;
const NAME = /[\p{L}_:][\p{L}\p{N}_:.\-·]*/uy;
const MAX_ATTRIBUTES = 1000;

function match(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}

/** The index after a document type declaration, which may have an internal subset in brackets; -1 when it does not end. */
function afterDoctype(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at]!;
    if (char === '"' || char === "'") {
      at = text.indexOf(char, at + 1);
      if (at === -1) return -1;
    } else if (text.startsWith('<!--', at)) {
      at = text.indexOf('-->', at);
      if (at === -1) return -1;
      at += 2;
    } else if (char === '[') depth++;
    else if (char === ']') depth--;
    else if (char === '>' && depth <= 0) return at + 1;
  }
  return -1;
}

function readAttributes(text: string, start: number): Map<string, string> | null | 'cut' {
  const attributes = new Map<string, string>();
  let at = start;
  while (attributes.size <= MAX_ATTRIBUTES) {
    const space = match(SPACE, text, at).length;
    at += space;
    if (at >= text.length) return 'cut';
    if (text[at] === '>' || text.startsWith('/>', at)) return attributes;
    const name = match(NAME, text, at);
    if (name === '' || space === 0) return text.startsWith('/', at) && at + 1 === text.length ? 'cut' : null;
    at += name.length;
    at += match(SPACE, text, at).length;
    if (at >= text.length) return 'cut';
    if (text[at] !== '=') return null;
    at++;
    at += match(SPACE, text, at).length;
    if (at >= text.length) return 'cut';
    const quote = text[at]!;
    if (quote !== '"' && quote !== "'") return null;
    const end = text.indexOf(quote, at + 1);
    if (end === -1) return 'cut';
    attributes.set(name, text.slice(at + 1, end));
    at = end + 1;
  }
  return null;
}

/** Skips the XML declaration, processing instructions, comments and document type, and reads the first tag, in linear time. */
export function xmlRoot(text: string): XmlRootResult {
  let at = 0;
  let doctype = '';
  for (;;) {
    at += match(SPACE, text, at).length;
    if (at >= text.length) return at === 0 ? 'none' : 'cut';
    if (text[at] !== '<') return 'none';
    let end: number;
    if (text.startsWith('<?', at)) end = text.indexOf('?>', at) === -1 ? -1 : text.indexOf('?>', at) + 2;
    else if (text.startsWith('<!--', at))
      end = text.indexOf('-->', at + 4) === -1 ? -1 : text.indexOf('-->', at + 4) + 3;
    else if (/^<!doctype\s/i.test(text.slice(at, at + 10))) {
      doctype ||= text
        .slice(at + 10, at + 64)
        .trim()
        .split(/[\s>[]/, 1)[0]!
        .toLowerCase();
      end = afterDoctype(text, at + 9);
    } else break;
    if (end === -1) return 'cut';
    at = end;
  }
  if (at + 1 >= text.length) return 'cut';
  const name = match(NAME, text, at + 1);
  if (name === '') return text.startsWith('<!', at) && text.length - at < 10 ? 'cut' : 'none';
  const attributes = readAttributes(text, at + 1 + name.length);
  return attributes === 'cut' ? 'cut' : { name, doctype, attributes };
}

/** Whether this is an SVG document: the root is `svg`, with or without a namespace prefix. */
export function isSvgRoot(root: XmlRoot): boolean {
  return root.attributes !== null && root.doctype !== 'html' && /^([^:]+:)?svg$/.test(root.name);
}
