import type { EmbeddedTexts } from '../embedded-texts.ts';
import { readAutomatic1111 } from './automatic1111.ts';
import { readComfyui } from './comfyui.ts';
import { readDrawThings } from './drawthings.ts';
import { readFooocus } from './fooocus.ts';
import type { DialectReader, FoundTexts, GenerationData } from './generation-data.ts';
import { readInvokeai } from './invokeai.ts';
import { parseObject } from './loose-json.ts';
import { readMidjourney } from './midjourney.ts';
import { readNovelai } from './novelai.ts';
import { readSettingsJson, readUnknownJson } from './settings-json.ts';
import { readSwarmui } from './swarmui.ts';
import { tidy } from './tidy.ts';

/** Most specific first: several tools use the name `parameters`, and some add an AUTOMATIC1111 infotext to their own data. */
const DIALECTS: readonly (readonly [name: string, read: DialectReader])[] = [
  ['SwarmUI', readSwarmui],
  ['InvokeAI', readInvokeai],
  ['Fooocus', readFooocus],
  ['NovelAI', readNovelai],
  ['Midjourney', readMidjourney],
  ['Draw Things', readDrawThings],
  ['a tool with settings in JSON', readSettingsJson],
  ['ComfyUI', readComfyui],
  ['AUTOMATIC1111', readAutomatic1111],
  ['a tool that is not known', readUnknownJson],
];

/** Keywords under which tools write JSON. */
const JSON_TEXTS = ['prompt', 'workflow', 'parameters', 'invokeai_metadata', 'sd-metadata', 'Comment', 'UserComment'];

/** Those under which tools write only JSON. Elsewhere a text that begins with a bracket may be a prompt. */
const ALWAYS_JSON = new Set(['workflow', 'invokeai_metadata', 'sd-metadata']);

/** Reads how a picture was generated from its embedded texts; null when they do not say. Never throws. */
export function readGeneration(texts: EmbeddedTexts): GenerationData | null {
  const notes = [...texts.notes];
  const c2pa = texts.c2pa ? { c2pa: true } : {};
  for (const [name, read] of DIALECTS) {
    let found: FoundTexts | undefined;
    try {
      found = read(texts.texts);
    } catch {
      notes.push(`what ${name} wrote could not be read`);
    }
    if (found) return tidy({ ...found, ...c2pa }, notes);
  }
  for (const name of JSON_TEXTS) {
    const text = texts.texts.get(name);
    if (text === undefined || !(ALWAYS_JSON.has(name) || /^\s*\{/.test(text)) || parseObject(text)) continue;
    notes.push(
      text.length > 100_000 && /^\s*\{/.test(text)
        ? `'${name}' is too long to be read`
        : `'${name}' is not a valid JSON object`,
    );
  }
  if (texts.c2pa) return tidy({ source: 'c2pa', ...c2pa }, notes);
  return notes.length > 0 ? tidy({ source: 'unknown' }, notes) : null;
}
