import type { DialectReader, FoundTexts } from './generation-data.ts';
import { asList, asLoose, asText, get, type Loose, parseObject } from './loose-json.ts';

/** Reads InvokeAI: `invokeai_metadata` since version 3, `sd-metadata` before, `Dream` at first. */
export const readInvokeai: DialectReader = (texts) => {
  const metadata = parseObject(texts.get('invokeai_metadata'));
  if (metadata) return readMetadata(metadata);
  const old = parseObject(texts.get('sd-metadata'));
  if (old) return readOldMetadata(old);
  const dream = texts.get('Dream') ?? texts.get('dream');
  return dream === undefined ? undefined : readDream(dream);
};

/** A command line: `"a prompt [what is not wanted]" -s 50 -S 31 -W 512 -H 768 -C 7.5 -A k_lms`; undefined when it is none. */
function readDream(line: string): FoundTexts | undefined {
  const text = line.slice(0, 50_000).trim();
  const behindQuote = text.startsWith('"') ? text.search(/(?<=")\s+-{1,2}[A-Za-z]/) : -1;
  const end = behindQuote < 0 && !text.endsWith('"') ? text.search(/\s-[A-Za-z](?=[\s=\d])/) : behindQuote;
  const prompt = (end < 0 ? text : text.slice(0, end)).trim();
  const quoted = /^"[^]*"$/.test(prompt);
  const options = new Map<string, string>();
  const words = (end < 0 ? '' : text.slice(end)).replaceAll('=', ' ').split(/\s+/);
  for (const [at, word] of words.entries()) {
    // `-s 50` and `-s50`.
    if (!/^-[A-Za-z]/.test(word)) continue;
    options.set(word[1] ?? '', word.length > 2 ? word.slice(2) : (words[at + 1] ?? ''));
  }
  if (!quoted && options.size === 0) return undefined;
  return {
    source: 'invokeai',
    ...splitBrackets(quoted ? prompt.slice(1, -1) : prompt),
    seed: options.get('S'),
    steps: options.get('s'),
    sampler: options.get('A'),
    cfgScale: options.get('C'),
    denoise: options.get('f'),
    width: options.get('W'),
    height: options.get('H'),
  };
}

/** What is not wanted stands in square brackets. */
function splitBrackets(text: string): { prompt: string; negativePrompt?: string } {
  const negative = [...text.slice(0, 50_000).matchAll(/\[([^[\]]*)\]/g)].map(([, part = '']) => part);
  if (negative.length === 0) return { prompt: text };
  return { prompt: text.replace(/\[[^[\]]*\]/g, ' ').replace(/ {2,}/g, ' '), negativePrompt: negative.join(', ') };
}

function readMetadata(metadata: Loose): FoundTexts {
  const model = asLoose(get(metadata, 'model'));
  const vae = asLoose(get(metadata, 'vae'));
  return {
    source: 'invokeai',
    prompt: get(metadata, 'positive_prompt'),
    negativePrompt: get(metadata, 'negative_prompt'),
    seed: get(metadata, 'seed'),
    steps: get(metadata, 'steps'),
    // InvokeAI calls the sampler a scheduler.
    sampler: get(metadata, 'scheduler'),
    cfgScale: get(metadata, 'cfg_scale') ?? get(metadata, 'guidance'),
    denoise: get(metadata, 'strength'),
    clipSkip: get(metadata, 'clip_skip'),
    model: get(model, 'name') ?? get(model, 'model_name') ?? get(metadata, 'model'),
    modelHash: get(model, 'hash'),
    vae: get(vae, 'name') ?? get(vae, 'model_name'),
    width: get(metadata, 'width'),
    height: get(metadata, 'height'),
    loras: asList(get(metadata, 'loras')).map((entry) => {
      const lora = asLoose(get(asLoose(entry), 'model')) ?? asLoose(get(asLoose(entry), 'lora'));
      return { name: get(lora, 'name') ?? get(lora, 'model_name'), weight: get(asLoose(entry), 'weight') };
    }),
    version: get(metadata, 'app_version'),
    parameters: { generationMode: get(metadata, 'generation_mode') },
  };
}

function readOldMetadata(metadata: Loose): FoundTexts {
  const image = asLoose(get(metadata, 'image'));
  const prompts = get(image, 'prompt');
  const prompt = asList(prompts)
    .map((part) => asText(get(asLoose(part), 'prompt')))
    .filter((part) => part !== undefined)
    .join(' ');
  const all = prompt === '' ? (asText(prompts) ?? '') : prompt;
  return {
    source: 'invokeai',
    ...splitBrackets(all),
    seed: get(image, 'seed'),
    steps: get(image, 'steps'),
    sampler: get(image, 'sampler'),
    cfgScale: get(image, 'cfg_scale'),
    model: get(metadata, 'model_weights'),
    modelHash: get(metadata, 'model_hash'),
    width: get(image, 'width'),
    height: get(image, 'height'),
    version: get(metadata, 'app_version'),
  };
}
