import type { DialectReader, FoundTexts } from './generation-data.ts';
import { fieldsOf, splitInfotext } from './infotext-settings.ts';
import { asList, asLoose, asText, get } from './loose-json.ts';

/** `Comment` and `Description` are PNG texts of Pillow and others, `comment` that of videos, GIFs and audio. */
const INFOTEXTS = [
  ['parameters', 'UserComment', 'COM', 'ImageDescription', 'comment', 'Comment', 'Description', 'description'],
  ['postprocessing', 'prompt'],
].flat();
const NEGATIVE = 'Negative prompt:';

/**
 * Reads the infotext of AUTOMATIC1111, Forge, SD.Next, Civitai and compatible tools: the prompt, `Negative prompt:`, and a line
 * `Steps: 20, Sampler: …` in any order. In a PNG it is the text `parameters`; in JPEG and WebP the EXIF comment.
 */
export const readAutomatic1111: DialectReader = (texts) => {
  for (const name of INFOTEXTS) {
    const text = texts.get(name);
    const found = text === undefined ? undefined : parseInfotext(text);
    if (found) return found;
  }
  const own = texts.get('parameters');
  // Without settings the text is only the prompt. That is certain only under the keyword `parameters`. Python writes None for nothing.
  if (own === undefined || /^\s*([{[]|None\s*$)/.test(own)) return undefined;
  return { source: 'automatic1111', ...splitPrompts(own) };
};

/** Parses an infotext. Fooocus files may hold one too. */
export function parseInfotext(text: string): FoundTexts | undefined {
  const parts = splitInfotext(text.replace(/\r\n?/g, '\n'));
  if (!parts) return undefined;
  const prompts = splitPrompts(parts.before);
  const fields = fieldsOf(parts.settings);
  const resources = readResources(parts.settings.get('Civitai resources'));
  const loras = [...lorasIn(prompts.prompt), ...resources.loras];
  const isFooocus = typeof fields.version === 'string' && fields.version.startsWith('Fooocus');
  return {
    ...(fields.model === undefined && resources.model !== undefined && { model: resources.model }),
    ...prompts,
    ...fields,
    loras,
    source: isFooocus ? 'fooocus' : 'automatic1111',
  };
}

function splitPrompts(text: string): { prompt: string; negativePrompt?: string } {
  const at = text.startsWith(NEGATIVE) ? 0 : text.indexOf(`\n${NEGATIVE}`);
  if (at < 0) return { prompt: text.trim() };
  const negativePrompt = text.slice(text.indexOf(NEGATIVE, at) + NEGATIVE.length).trim();
  return { prompt: text.slice(0, at).trim(), negativePrompt };
}

function lorasIn(prompt: string): { name: string; weight?: unknown }[] {
  const tags = prompt.slice(0, 50_000).matchAll(/<(?:lora|lyco):([^<>]+)>/g);
  return [...tags].flatMap(([, tag = '']) => {
    const [name = '', weight] = tag.split(':', 2);
    if (name === '' || name.length > 200) return [];
    return [{ name, ...(weight !== undefined && { weight: weight.slice(0, 20) }) }];
  });
}

/** Civitai lists the checkpoint and the LoRAs as JSON; nothing else in its pictures names them. */
function readResources(json: string | undefined): { model?: string; loras: { name: string; weight?: unknown }[] } {
  if (json === undefined || json.length > MAX_RESOURCES) return { loras: [] };
  let entries: unknown[];
  try {
    entries = asList(JSON.parse(json)).slice(0, 100);
  } catch {
    return { loras: [] };
  }
  const named = entries.flatMap((entry) => {
    const resource = asLoose(entry);
    const name = asText(get(resource, 'modelName'));
    const version = asText(get(resource, 'modelVersionName'));
    const type = asText(get(resource, 'type'))?.toLowerCase();
    if (name === undefined) return [];
    return [{ type, name: version === undefined ? name : `${name} ${version}`, weight: get(resource, 'weight') }];
  });
  const model = named.find(({ type }) => type === 'checkpoint' || type === 'model')?.name;
  const loras = named.filter(({ type }) => /^(lora|locon|lycoris|dora)$/.test(type ?? ''));
  return {
    ...(model !== undefined && { model }),
    loras: loras.map(({ name, weight }) => ({ name, ...(weight !== undefined && { weight }) })),
  };
}
const MAX_RESOURCES = 64 * 1024;
