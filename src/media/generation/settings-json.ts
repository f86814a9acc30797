import { readComfyui } from './comfyui.ts';
import type { Dialect, DialectReader, FoundTexts } from './generation-data.ts';
import { fieldsOf } from './infotext-settings.ts';
import { asList, asLoose, asText, get, type Loose, parseObject } from './loose-json.ts';

/** Texts in which tools write their settings as one JSON object. */
const JSON_TEXTS = [
  ['generation_data', 'parameters-json', 'parameters', 'UserComment', 'Comment', 'COM', 'comment', 'metadata'],
  ['extraMetadata', 'Description', 'ImageDescription', 'Model'],
].flat();

/** Tools by what only their JSON has, the most specific first. */
const TOOLS: readonly (readonly [Dialect, (settings: Loose, keyword: string) => boolean])[] = [
  ['tensorart', (_settings, keyword) => keyword === 'generation_data'],
  ['stabilitymatrix', (_settings, keyword) => keyword === 'parameters-json'],
  ['civitai', (_settings, keyword) => keyword === 'extraMetadata'],
  ['ruinedfooocus', (settings) => get(settings, 'software') === 'RuinedFooocus'],
  ['fooocus', (settings) => asText(get(settings, 'software'))?.startsWith('Fooocus') === true],
  ['easydiffusion', isEasyDiffusion],
  ['huggingface', (settings) => has(settings, 'Model', 'resolution') || has(settings, 'num_inference_steps', 'prompt')],
];

const has = (settings: Loose, ...names: string[]) => names.every((name) => get(settings, name) !== undefined);

function isEasyDiffusion(settings: Loose): boolean {
  return has(settings, 'use_stable_diffusion_model') || has(settings, 'Stable Diffusion model');
}

/**
 * Reads tools that write their settings as one flat JSON object under names of their own: RuinedFooocus, Fooocus-MRE, Easy
 * Diffusion, Hugging Face's spaces, TensorArt, Stability Matrix, and Civitai's `extraMetadata`.
 */
export const readSettingsJson: DialectReader = (texts) => {
  // Easy Diffusion's PNGs have a text for each setting.
  const each = Object.fromEntries(texts);
  if (isEasyDiffusion(each)) return { ...fieldsOfJson(each), source: 'easydiffusion' };
  for (const [keyword, settings] of objectsIn(texts)) {
    const source = TOOLS.find(([, is]) => is(settings, keyword))?.[0];
    if (source === undefined) continue;
    // Sites that run ComfyUI write its graph, too: their own settings are what their user chose.
    const graph = WITH_GRAPH.has(source) ? readComfyui(texts) : undefined;
    return { ...graph, ...defined(fieldsOfJson(settings)), source };
  }
  return undefined;
};
const WITH_GRAPH: ReadonlySet<Dialect> = new Set(['tensorart', 'stabilitymatrix', 'civitai']);

/** Of a tool that is not known, reads what is named as usual, if that is a prompt with a number of steps, a seed or a guidance scale. */
export const readUnknownJson: DialectReader = (texts) => {
  for (const [, settings] of objectsIn(texts)) {
    const found = fieldsOfJson(settings);
    if (saysHow(found)) return { ...defined(found), source: 'unknown' };
  }
  return undefined;
};

function* objectsIn(texts: ReadonlyMap<string, string>): Generator<readonly [keyword: string, settings: Loose]> {
  for (const keyword of JSON_TEXTS) {
    const settings = parseObject(texts.get(keyword));
    if (settings) yield [keyword, settings];
  }
}

/** The settings say how something was made: a text, and a number that only generators have. */
function saysHow({ prompt, steps, seed, cfgScale }: Partial<FoundTexts>): boolean {
  const numbered = [steps, seed, cfgScale].some((value) => /^-?\d/.test(asText(value) ?? ''));
  return typeof prompt === 'string' && prompt !== '' && numbered;
}

function defined(found: Partial<FoundTexts>): Partial<FoundTexts> {
  return Object.fromEntries(
    Object.entries(found).filter(([, value]) => ![undefined, null, ''].includes(value as null)),
  );
}

function fieldsOfJson(settings: Loose): Partial<FoundTexts> {
  const models = asList(get(settings, 'models')).map(asLoose);
  const base = models.find((model) => /^(base_?model|checkpoint)$/i.test(asText(get(model, 'type')) ?? ''));
  const own = asLoose(get(settings, 'baseModel')) ?? base;
  const found = fieldsOf(new Map(Object.entries(settings)), { json: true });
  const loras = lorasOf(settings, models).filter(({ name }) => typeof name === 'string' && !isNone(name));
  const clipSkip = get(settings, 'base_clip_skip');
  return {
    ...Object.fromEntries(Object.entries(found).filter(([name, value]) => name === 'prompt' || !isNone(value))),
    ...(own && { model: modelFile(own), modelHash: get(own, 'hash') }),
    ...(found.model !== undefined && !own && { model: isNone(found.model) ? undefined : fileName(found.model) }),
    ...(found.vae !== undefined && { vae: isNone(found.vae) ? undefined : fileName(found.vae) }),
    ...(typeof clipSkip === 'number' && { clipSkip: Math.abs(clipSkip) }),
    ...(found.version === 'RuinedFooocus' && { version: undefined }),
    ...(loras.length > 0 && { loras }),
  };
}

/** What Python writes for nothing. */
const isNone = (value: unknown) => value === 'None' || value === null;

const modelFile = (model: Loose | undefined) =>
  get(model, 'modelFileName') ?? get(model, 'modelName') ?? get(model, 'name');

/** Easy Diffusion writes the path of the file on its own machine. `stabilityai/sdxl` is a name. */
function fileName(model: unknown): unknown {
  return typeof model === 'string' && /^(\/|\\\\|[A-Za-z]:[\\/])/.test(model) ? model.split(/[\\/]/).at(-1) : model;
}

/**
 * `loras: [{name, weight}]` or `[[name, weight]]`, models of type LORA, `l1`, `w1`, `l2`, … (Fooocus-MRE), or names and weights
 * apart (Easy Diffusion).
 */
function lorasOf(settings: Loose, models: readonly (Loose | undefined)[]): { name: unknown; weight?: unknown }[] {
  const listed = asList(get(settings, 'loras')).map((lora) => {
    const entry = asLoose(lora);
    if (!entry) return { name: asList(lora)[0], weight: asList(lora)[1] };
    return { name: get(entry, 'name') ?? modelFile(entry), weight: get(entry, 'weight') };
  });
  const typed = models
    .filter((model) => /^lora$/i.test(asText(get(model, 'type')) ?? ''))
    .map((model) => ({ name: modelFile(model), weight: get(model, 'weight') }));
  const numbered = Array.from({ length: 16 }, (_value, index) => ({
    name: get(settings, `l${index + 1}`),
    weight: get(settings, `w${index + 1}`),
  }));
  const weights = itemsOf(get(settings, 'lora_alpha') ?? get(settings, 'LoRA Strength'));
  const apart = itemsOf(get(settings, 'use_lora_model') ?? get(settings, 'LoRA model')).map((name, index) => ({
    name,
    weight: weights[index],
  }));
  return [...listed, ...typed, ...numbered, ...apart].map((lora) => ({ ...lora, name: fileName(lora.name) }));
}

/** A list, one value, or a list as Python writes it: `a, b` or `['a', 'b']`. */
function itemsOf(value: unknown): unknown[] {
  if (typeof value !== 'string') return Array.isArray(value) ? value : [value];
  const items = value.slice(0, 10_000).split(',', 32);
  return items.map((item) => item.replaceAll(/[[\]'"]/g, '').trim());
}
