import type { FoundTexts, GenerationData, Lora } from './generation-data.ts';
import { asNumber } from './loose-json.ts';

/** Most characters of the long texts, and of the others. A UTF-16 unit takes up to 3 bytes in UTF-8. */
const MAX_PROMPT = 8000;
const MAX_NEGATIVE = 4000;
const MAX_SHORT = 500;
const MAX_LORAS = 32;
const MAX_PARAMETERS = 64;
const MAX_NOTES = 8;
/** Most bytes of all of it as JSON, which leaves room for the caller's fields. */
const MAX_BYTES = 48 * 1024;

const UNSAFE_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/** Makes a reader's result storable: checks types, replaces characters that PostgreSQL cannot store, limits sizes. */
export function tidy(found: FoundTexts, extraNotes: readonly string[]): GenerationData {
  const notes: string[] = [];
  const text = (name: string, value: unknown, most = MAX_SHORT): string | undefined => {
    if (typeof value !== 'string') return undefined;
    const clean = withoutControls(value).trim();
    if (clean.length > most) notes.push(`${name} was cut: it has ${clean.length} characters`);
    return cut(clean, most) || undefined;
  };
  const whole = (value: unknown): number | undefined => {
    const number = asNumber(value);
    return Number.isSafeInteger(number) ? number : undefined;
  };
  const size = (value: unknown): number | undefined => {
    const number = whole(value);
    return number !== undefined && number > 0 && number < 1_000_000 ? number : undefined;
  };
  const width = size(found.width);
  const height = size(found.height);
  const data: { [Key in keyof GenerationData]: GenerationData[Key] | undefined } = {
    source: found.source,
    prompt: text('the prompt', found.prompt, MAX_PROMPT),
    negativePrompt: text('the negative prompt', found.negativePrompt, MAX_NEGATIVE),
    seed: seedOf(found.seed),
    steps: whole(found.steps),
    sampler: text('the sampler', found.sampler),
    scheduler: text('the scheduler', found.scheduler),
    cfgScale: asNumber(found.cfgScale),
    denoise: asNumber(found.denoise),
    clipSkip: whole(found.clipSkip),
    model: text('the model', found.model),
    modelHash: text('the model hash', found.modelHash),
    vae: text('the VAE', found.vae),
    width,
    height,
    size: width !== undefined && height !== undefined ? `${width}x${height}` : undefined,
    loras: lorasOf(found.loras ?? []),
    version: text('the version', found.version),
    parameters: parametersOf(found.parameters),
    hasWorkflow: found.hasWorkflow === true ? true : undefined,
    c2pa: found.c2pa === true ? true : undefined,
  };
  const said = [...extraNotes, ...notes].map((note) => cut(withoutControls(note), 200)).slice(0, MAX_NOTES);
  if (said.length > 0) data.notes = said;
  return fit(withoutUndefined(data) as GenerationData);
}

function withoutUndefined<T extends object>(data: T): T {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined)) as T;
}

function without(data: GenerationData, key: 'parameters' | 'loras'): GenerationData {
  return Object.fromEntries(Object.entries(data).filter(([name]) => name !== key)) as GenerationData;
}

/** Drops the least useful fields until the rest fits. Texts full of quotes take twice their length as JSON. */
function fit(data: GenerationData): GenerationData {
  const smaller: ((data: GenerationData) => GenerationData)[] = [
    (all) => without(all, 'parameters'),
    (all) => without(all, 'loras'),
    ({ negativePrompt, ...rest }) => ({
      ...rest,
      ...(negativePrompt !== undefined && { negativePrompt: cut(negativePrompt, 1000) }),
    }),
    ({ prompt, ...rest }) => ({ ...rest, ...(prompt !== undefined && { prompt: cut(prompt, 2000) }) }),
  ];
  let fitting = data;
  for (const shrink of smaller) {
    if (Buffer.byteLength(JSON.stringify(fitting)) <= MAX_BYTES) return fitting;
    fitting = { ...shrink(fitting), notes: [...(data.notes ?? []), 'some of it was left out: it is too large'] };
  }
  return fitting;
}

/** Removes control characters other than line breaks and tabs, and replaces lone surrogates, so that PostgreSQL can store the text. */
function withoutControls(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n?/g, '\n')
    .replace(/\p{Cc}/gu, (character) => (character === '\n' || character === '\t' ? character : ''));
}

/** Cuts a text without splitting its last character. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? most - 1 : most);
}

/** A whole number; as a string when it has more digits than a JSON parser keeps. 2^64 has 20 digits. */
function seedOf(value: unknown): number | string | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value !== 'string' || !/^\s*-?\d{1,20}\s*$/.test(value)) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.trim();
}

function lorasOf(found: readonly { name: unknown; weight?: unknown }[]): Lora[] | undefined {
  const loras: Lora[] = [];
  for (const { name, weight } of found.slice(0, MAX_LORAS)) {
    const known = typeof name === 'string' ? cut(withoutControls(name).trim(), 200) : '';
    const number = asNumber(weight);
    if (known !== '') loras.push({ name: known, ...(number !== undefined && { weight: number }) });
  }
  return loras.length > 0 ? loras : undefined;
}

function parametersOf(found: unknown): Record<string, string | number | boolean> | undefined {
  if (typeof found !== 'object' || found === null) return undefined;
  const kept = new Map<string, string | number | boolean>();
  for (const [key, value] of Object.entries(found)) {
    if (kept.size >= MAX_PARAMETERS) break;
    const name = cut(withoutControls(key).trim(), 100);
    if (name === '' || UNSAFE_KEYS.has(name)) continue;
    if (typeof value === 'string') kept.set(name, cut(withoutControls(value).trim(), MAX_SHORT));
    else if (typeof value === 'boolean') kept.set(name, value);
    else if (typeof value === 'number' && (!Number.isInteger(value) || Number.isSafeInteger(value)))
      if (Number.isFinite(value)) kept.set(name, value);
  }
  return kept.size > 0 ? Object.fromEntries(kept) : undefined;
}
