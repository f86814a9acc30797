import type { DialectReader, FoundTexts } from './generation-data.ts';

const NEGATIVE = 'Negative prompt:';
/** The line of settings. It is the last line and always names the steps. */
const SETTINGS = /(?:^|\n)[ \t]*Steps: ?\d+/g;

/** Settings that map to a field of the generation data. */
const KNOWN: Readonly<Record<string, keyof FoundTexts>> = {
  Steps: 'steps',
  Sampler: 'sampler',
  'Schedule type': 'scheduler',
  'CFG scale': 'cfgScale',
  Seed: 'seed',
  Model: 'model',
  'Model hash': 'modelHash',
  VAE: 'vae',
  'Denoising strength': 'denoise',
  'Clip skip': 'clipSkip',
  Version: 'version',
};

/**
 * Reads the infotext of AUTOMATIC1111, Forge and compatible tools: the prompt, `Negative prompt:`, and a line
 * `Steps: 20, Sampler: …`. In a PNG it is the text `parameters`; in JPEG and WebP the EXIF comment.
 */
export const readAutomatic1111: DialectReader = (texts) => {
  const own = texts.get('parameters');
  for (const name of ['parameters', 'UserComment', 'COM', 'ImageDescription', 'comment']) {
    const text = texts.get(name);
    const found = text === undefined ? undefined : parseInfotext(text);
    if (found) return found;
  }
  // Without settings the text is only the prompt. That is certain only under the keyword `parameters`.
  if (own === undefined || /^\s*[{[]/.test(own)) return undefined;
  return { source: 'automatic1111', ...splitPrompts(own) };
};

/** Parses an infotext. Fooocus files may hold one too. */
export function parseInfotext(text: string): FoundTexts | undefined {
  const unix = text.replace(/\r\n?/g, '\n');
  const start = [...unix.matchAll(SETTINGS)].at(-1)?.index;
  if (start === undefined) return undefined;
  const settings = readSettings(unix.slice(start).trimStart());
  const prompts = splitPrompts(unix.slice(0, start));
  const found: FoundTexts = { source: 'automatic1111', ...prompts, loras: lorasIn(prompts.prompt) };
  const rest = new Map<string, string>();
  for (const [name, value] of settings) {
    const known = Object.hasOwn(KNOWN, name) ? KNOWN[name] : undefined;
    const size = name === 'Size' ? /^(\d+)x(\d+)$/.exec(value) : null;
    if (size) [, found.width, found.height] = size;
    else if (known !== undefined) found[known] = value as never;
    else if (name !== '__proto__') rest.set(name, value);
  }
  if (rest.size > 0) found.parameters = Object.fromEntries(rest);
  return found;
}

function splitPrompts(text: string): { prompt: string; negativePrompt?: string } {
  const at = text.startsWith(NEGATIVE) ? 0 : text.indexOf(`\n${NEGATIVE}`);
  if (at < 0) return { prompt: text.trim() };
  const negativePrompt = text.slice(text.indexOf(NEGATIVE, at) + NEGATIVE.length).trim();
  return { prompt: text.slice(0, at).trim(), negativePrompt };
}

/** Parses `Name: value, Name: "a quoted, value"` in one pass over the line. */
function readSettings(line: string): Map<string, string> {
  const settings = new Map<string, string>();
  let at = 0;
  while (at < line.length && settings.size < 256) {
    const colon = line.indexOf(':', at);
    if (colon < 0) break;
    // An unquoted value may contain commas; the next name begins after the last comma.
    const name = line.slice(Math.max(at, line.lastIndexOf(',', colon) + 1), colon).trim();
    let from = colon + 1;
    while (line[from] === ' ') from += 1;
    const quoteEnd = line[from] === '"' ? endOfQuote(line, from + 1) : -1;
    const comma = line.indexOf(',', Math.max(from, quoteEnd));
    const end = comma < 0 ? line.length : comma;
    const value = line.slice(from, quoteEnd > 0 ? quoteEnd : end).trim();
    if (name !== '' && name.length <= 100 && !settings.has(name))
      settings.set(name, quoteEnd > 0 ? unquoted(value) : value);
    at = end + 1;
  }
  return settings;
}

/** The index after the closing quote, or -1. */
function endOfQuote(line: string, from: number): number {
  for (let at = from; at < line.length; at++) {
    if (line[at] === '\\') at += 1;
    else if (line[at] === '"') return at + 1;
  }
  return -1;
}

function unquoted(value: string): string {
  try {
    return String(JSON.parse(value));
  } catch {
    return value.slice(1, -1);
  }
}

function lorasIn(prompt: string): { name: string; weight?: string }[] {
  const tags = prompt.slice(0, 50_000).matchAll(/<(?:lora|lyco):([^<>]+)>/g);
  return [...tags].flatMap(([, tag = '']) => {
    const [name = '', weight] = tag.split(':', 2);
    if (name === '' || name.length > 200) return [];
    return [{ name, ...(weight !== undefined && { weight: weight.slice(0, 20) }) }];
  });
}
