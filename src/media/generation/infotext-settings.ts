import type { FoundTexts } from './generation-data.ts';

/** Settings that map to a field of the generation data, by the names that tools write, in lower case and with single spaces. */
const KNOWN: ReadonlyMap<string, keyof FoundTexts> = new Map<string, keyof FoundTexts>([
  ['steps', 'steps'],
  ['sampling steps', 'steps'],
  ['sampler', 'sampler'],
  ['sampler name', 'sampler'],
  ['sampling method', 'sampler'],
  ['schedule type', 'scheduler'],
  ['schedule', 'scheduler'],
  ['scheduler', 'scheduler'],
  ['cfg scale', 'cfgScale'],
  ['cfg', 'cfgScale'],
  ['cfgscale', 'cfgScale'],
  ['guidance scale', 'cfgScale'],
  ['guidance', 'cfgScale'],
  ['seed', 'seed'],
  ['model', 'model'],
  ['model name', 'model'],
  ['checkpoint', 'model'],
  ['model hash', 'modelHash'],
  ['vae', 'vae'],
  ['denoising strength', 'denoise'],
  ['denoising', 'denoise'],
  ['denoise', 'denoise'],
  ['denoise strength', 'denoise'],
  ['clip skip', 'clipSkip'],
  ['clipskip', 'clipSkip'],
  ['version', 'version'],
]);
/** Further names, which only JSON has: in an infotext the prompt stands before the settings. */
const KNOWN_IN_JSON: ReadonlyMap<string, keyof FoundTexts> = new Map<string, keyof FoundTexts>([
  ['prompt', 'prompt'],
  ['positive', 'prompt'],
  ['positive prompt', 'prompt'],
  ['negative', 'negativePrompt'],
  ['negative prompt', 'negativePrompt'],
  ['num inference steps', 'steps'],
  ['noise seed', 'seed'],
  ['noise schedule', 'scheduler'],
  ['base model', 'model'],
  ['base model name', 'model'],
  ['base model hash', 'modelHash'],
  ['use stable diffusion model', 'model'],
  ['stable diffusion model', 'model'],
  ['use vae model', 'vae'],
  ['vae model', 'vae'],
  ['strength', 'denoise'],
  ['prompt strength', 'denoise'],
  ['software', 'version'],
  ['width', 'width'],
  ['height', 'height'],
]);
const SIZES = new Set(['size', 'resolution']);
/** Names that mark a line as settings beside the known ones. */
const MARKS = new Set([
  'parser',
  'pipeline',
  'civitai resources',
  'civitai metadata',
  'created date',
  'hashes',
  'lora hashes',
  'app',
]);
/** Fewer names of settings may stand in a prompt: `Model: a woman in a red dress`. */
const MIN_NAMES = 2;
/** A line of settings has one of these with its number. */
const NUMBERED: ReadonlySet<string> = new Set(['steps', 'seed', 'cfgScale']);
/** Settings are short names. */
const MAX_NAME = 60;

const plain = (name: string): string => name.trim().toLowerCase().replaceAll('_', ' ').replace(/\s+/g, ' ');

/** `cfgScale` is `cfg scale`. */
const plainInJson = (name: string): string => plain(name.replace(/(?<=[a-z])(?=[A-Z])/g, ' '));

export interface Infotext {
  /** What stands before the settings: the prompts. */
  before: string;
  settings: Map<string, string>;
  /** The lines after the settings, such as `Template: …`. */
  after: string;
}

/** Finds the line of settings in an infotext, the last one that is one; undefined when none is. */
export function splitInfotext(text: string): Infotext | undefined {
  const lines = text.split('\n');
  for (let index = lines.length - 1; index >= 0; index -= 1) {
    const line = lines[index] ?? '';
    if (!isSettings(line)) continue;
    return {
      before: lines.slice(0, index).join('\n'),
      settings: readSettings(line),
      after: lines
        .slice(index + 1)
        .join('\n')
        .trim(),
    };
  }
  return undefined;
}

/** A line of settings names at least two of them in any order, a number among them; `Steps: 20` alone is one, too. */
function isSettings(line: string): boolean {
  if (/^\s*Steps: ?\d+\s*(,|$)/.test(line)) return true;
  let names = 0;
  let numbered = false;
  for (const part of line.split(',').slice(0, 300)) {
    const colon = part.indexOf(':');
    if (colon < 1 || colon > MAX_NAME) continue;
    const name = plain(part.slice(0, colon));
    if (!KNOWN.has(name) && !SIZES.has(name) && !MARKS.has(name)) continue;
    names += 1;
    numbered ||= NUMBERED.has(KNOWN.get(name) ?? '') && /^\s*"?-?\d/.test(part.slice(colon + 1));
  }
  const [first = ''] = line.split(':', 1);
  // A prompt may mention settings further on; the line of settings begins with the name of one.
  return numbered && names >= MIN_NAMES && first.length <= MAX_NAME && !first.includes(',');
}

/** Parses `Name: value, Name: "a quoted, value", Name: {"json": 1}` in one pass over the line. */
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
    const whole = endOfWhole(line, from);
    const comma = line.indexOf(',', whole > 0 ? whole : from);
    const end = comma < 0 ? line.length : comma;
    const value = line.slice(from, whole > 0 ? whole : end).trim();
    if (name !== '' && name.length <= 100 && !settings.has(name))
      settings.set(name, value.startsWith('"') ? unquoted(value) : value);
    at = end + 1;
  }
  return settings;
}

/** The index after a quoted value, or after a value that is JSON; -1 when the value is neither. */
function endOfWhole(line: string, from: number): number {
  const first = line[from];
  if (first === '"') return endOfQuote(line, from + 1);
  if (first !== '{' && first !== '[') return -1;
  let depth = 0;
  for (let at = from; at < line.length; at += 1) {
    const character = line[at];
    if (character === '"') {
      at = endOfQuote(line, at + 1) - 1;
      if (at < 0) return -1;
    } else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
}

/** The index after the closing quote, or -1. */
function endOfQuote(line: string, from: number): number {
  for (let at = from; at < line.length; at += 1) {
    if (line[at] === '\\') at += 1;
    else if (line[at] === '"') return at + 1;
  }
  return -1;
}

function unquoted(value: string): string {
  try {
    return String(JSON.parse(value));
  } catch {
    return value.replace(/^"|"$/g, '');
  }
}

/**
 * Settings as fields of the generation data; those without a field stay under their own names.
 * @param in.json whether they come from a JSON object, whose names and values are of more kinds
 */
export function fieldsOf(settings: ReadonlyMap<string, unknown>, { json = false } = {}): Partial<FoundTexts> {
  const found: Partial<FoundTexts> = {};
  const rest = new Map<string, unknown>();
  for (const [name, value] of settings) {
    const short = json ? plainInJson(name) : plain(name);
    const known = KNOWN.get(short) ?? (json ? KNOWN_IN_JSON.get(short) : undefined);
    const size =
      SIZES.has(short) && typeof value === 'string'
        ? /^\(?\s?(\d{1,6})\s{0,5}[x×*,]\s{0,5}(\d{1,6})\s?\)?$/.exec(value)
        : null;
    if (size && found.width === undefined) [, found.width, found.height] = size;
    else if (known !== undefined && found[known] === undefined) found[known] = value as never;
    else if (name !== '__proto__') rest.set(name, value);
  }
  if (rest.size > 0) found.parameters = Object.fromEntries(rest);
  return found;
}
