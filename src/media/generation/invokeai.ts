import type { DialectReader, FoundTexts } from './generation-data.ts';
import { asList, asLoose, asText, get, type Loose, parseObject } from './loose-json.ts';

/** Reads InvokeAI: `invokeai_metadata` since version 3, `sd-metadata` before. */
export const readInvokeai: DialectReader = (texts) => {
  const metadata = parseObject(texts.get('invokeai_metadata'));
  if (metadata) return readMetadata(metadata);
  const old = parseObject(texts.get('sd-metadata'));
  return old && readOldMetadata(old);
};

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
  // The negative prompt is in square brackets.
  const negative = [...all.slice(0, 50_000).matchAll(/\[([^[\]]*)\]/g)].map(([, part = '']) => part);
  return {
    source: 'invokeai',
    prompt: all.replace(/\[[^[\]]*\]/g, ' '),
    negativePrompt: negative.join(', '),
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
