import type { DialectReader } from './generation-data.ts';
import { asList, asLoose, asText, get, parseObject } from './loose-json.ts';

/** Reads NovelAI: `Comment` is JSON, `Description` the prompt, `Source` the model and its hash. In WebP all of it is JSON in EXIF. */
export const readNovelai: DialectReader = (texts) => {
  const packed = parseObject(texts.get('UserComment'));
  const field = (name: string) => texts.get(name) ?? asText(get(packed, name));
  // Files that were converted have the comment itself there. Draw Things has the same names, and its prompt under another.
  const comment = parseObject(field('Comment')) ?? (get(packed, 'prompt') === undefined ? undefined : packed);
  const named = field('Software')?.trim() === 'NovelAI';
  if (!named && (get(comment, 'uc') === undefined || get(comment, 'sampler') === undefined)) return undefined;
  const made = field('Source')?.trim().slice(0, 500) ?? '';
  const hash = /(?<!\s)\s+([0-9A-Fa-f]{8,})$/.exec(made);
  const model = hash ? made.slice(0, hash.index) : made;
  const modelHash = hash?.[1];
  return {
    source: 'novelai',
    prompt: v4Prompt(get(comment, 'v4_prompt')) ?? get(comment, 'prompt') ?? field('Description'),
    negativePrompt: v4Prompt(get(comment, 'v4_negative_prompt')) ?? get(comment, 'uc'),
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

/** Since version 4 the characters have captions of their own; `|` is NovelAI's sign between them where it has them in one text. */
function v4Prompt(value: unknown): string | undefined {
  const caption = asLoose(get(asLoose(value), 'caption'));
  const base = asText(get(caption, 'base_caption'));
  const characters = asList(get(caption, 'char_captions')).map((each) => asText(get(asLoose(each), 'char_caption')));
  const parts = [base, ...characters].filter((part) => part !== undefined && part.trim() !== '');
  return parts.length > 0 ? parts.join(' | ') : undefined;
}
