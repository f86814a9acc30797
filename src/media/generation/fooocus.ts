import { parseInfotext } from './automatic1111.ts';
import type { DialectReader } from './generation-data.ts';
import { asList, asText, get, parseObject } from './loose-json.ts';

/**
 * Reads Fooocus: `parameters` is Fooocus's JSON or an AUTOMATIC1111 infotext, as `fooocus_scheme` says. In JPEG and WebP
 * these are the EXIF comment and maker note.
 */
export const readFooocus: DialectReader = (texts) => {
  const scheme = texts.get('fooocus_scheme') ?? texts.get('MakerNote')?.trim();
  const text = texts.get('parameters') ?? texts.get('UserComment');
  const data = parseObject(text);
  // Fooocus-MRE writes `performance`, too, and other names beside it.
  const own =
    get(data, 'metadata_scheme') === 'fooocus' ||
    (get(data, 'performance') !== undefined && get(data, 'software') === undefined);
  const named = scheme !== undefined && ['fooocus', 'a1111'].includes(scheme);
  if (text === undefined || (!named && !own)) return undefined;
  if (!data) {
    const found = parseInfotext(text);
    return found && { ...found, source: 'fooocus' };
  }
  const [, width, height] =
    /^\s*(?:\(\s*)?(\d+)\s*[,x×]\s*(\d+)/.exec(asText(get(data, 'resolution'))?.slice(0, 100) ?? '') ?? [];
  return {
    source: 'fooocus',
    prompt: get(data, 'prompt'),
    negativePrompt: get(data, 'negative_prompt'),
    seed: get(data, 'seed'),
    steps: get(data, 'steps'),
    sampler: get(data, 'sampler'),
    scheduler: get(data, 'scheduler'),
    cfgScale: get(data, 'guidance_scale'),
    clipSkip: get(data, 'clip_skip'),
    model: get(data, 'base_model'),
    modelHash: get(data, 'base_model_hash'),
    vae: get(data, 'vae'),
    width,
    height,
    loras: asList(get(data, 'loras')).map((lora) => ({ name: asList(lora)[0], weight: asList(lora)[1] })),
    version: get(data, 'version') ?? texts.get('Software'),
    parameters: {
      performance: get(data, 'performance'),
      sharpness: get(data, 'sharpness'),
      styles: asText(get(data, 'styles')),
      refinerModel: get(data, 'refiner_model'),
    },
  };
};
