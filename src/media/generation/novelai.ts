import type { DialectReader } from './generation-data.ts';
import { asLoose, asText, get, parseObject } from './loose-json.ts';

/** Reads NovelAI: `Comment` is JSON, `Description` the prompt, `Source` the model and its hash. In WebP all of it is JSON in EXIF. */
export const readNovelai: DialectReader = (texts) => {
  const packed = parseObject(texts.get('UserComment'));
  const field = (name: string) => texts.get(name) ?? asText(get(packed, name));
  const comment = parseObject(field('Comment'));
  const named = field('Software')?.trim() === 'NovelAI';
  if (!named && (get(comment, 'uc') === undefined || get(comment, 'sampler') === undefined)) return undefined;
  const v4 = (name: string) => get(asLoose(get(asLoose(get(comment, name)), 'caption')), 'base_caption');
  const made = field('Source')?.trim().slice(0, 500) ?? '';
  const hash = /(?<!\s)\s+([0-9A-Fa-f]{8,})$/.exec(made);
  const model = hash ? made.slice(0, hash.index) : made;
  const modelHash = hash?.[1];
  return {
    source: 'novelai',
    prompt: get(comment, 'prompt') ?? v4('v4_prompt') ?? field('Description'),
    negativePrompt: get(comment, 'uc') ?? v4('v4_negative_prompt'),
    seed: get(comment, 'seed'),
    steps: get(comment, 'steps'),
    sampler: get(comment, 'sampler'),
    scheduler: get(comment, 'noise_schedule'),
    cfgScale: get(comment, 'scale'),
    denoise: get(comment, 'strength'),
    model,
    modelHash,
    width: get(comment, 'width'),
    height: get(comment, 'height'),
    parameters: { requestType: get(comment, 'request_type'), cfgRescale: get(comment, 'cfg_rescale') },
  };
};
