import type { Json } from '../../json/json.ts';

/** JSON in a text, as some providers send lists of results: `resultJson`. @param most characters; longer texts are left alone */
export function jsonIn(text: string, most: number): Json[] | Record<string, Json> | undefined {
  if (text.length > most || !/^\s{0,20}[[{]/.test(text) || !/http|data:/.test(text)) return undefined;
  try {
    const value = JSON.parse(text) as Json;
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

const MAX_LINKS = 100;

/** The links of a text in Markdown: `![alt](address)` and `[text](address)`. */
export function linksIn(text: string): { address: string; isImage: boolean }[] {
  const links: { address: string; isImage: boolean }[] = [];
  let at = text.indexOf('](');
  while (at !== -1 && links.length < MAX_LINKS) {
    const end = text.indexOf(')', at);
    if (end === -1) break;
    const [address = ''] = text
      .slice(at + 2, end)
      .trim()
      .split(/\s/, 1);
    const open = text.lastIndexOf('[', at);
    if (/^(https?|data):/i.test(address)) links.push({ address, isImage: open > 0 && text.charAt(open - 1) === '!' });
    at = text.indexOf('](', end);
  }
  return links;
}
