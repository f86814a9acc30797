import type { DialectReader } from './generation-data.ts';
import { asList, asLoose, asText, get, type Loose, parseObject } from './loose-json.ts';

/** Reads Draw Things: JSON with the prompt as `c` and the negative prompt as `uc`, in the UserComment of XMP or EXIF. */
export const readDrawThings: DialectReader = (texts) => {
  for (const text of [inXmp(texts.get('XMP')), texts.get('UserComment')]) {
    const data = parseObject(text);
    if (data && asText(get(data, 'c')) !== undefined && get(data, 'sampler') !== undefined) return found(data);
  }
  return undefined;
};

function found(data: Loose): ReturnType<DialectReader> {
  const v2 = asLoose(get(data, 'v2'));
  const [, width, height] = /^(\d+)x(\d+)$/.exec(asText(get(data, 'size')) ?? '') ?? [];
  return {
    source: 'drawthings',
    prompt: get(data, 'c'),
    negativePrompt: get(data, 'uc'),
    seed: get(data, 'seed'),
    steps: get(data, 'steps'),
    sampler: get(data, 'sampler'),
    cfgScale: get(data, 'scale'),
    denoise: get(data, 'strength'),
    clipSkip: get(v2, 'clipSkip'),
    model: get(data, 'model'),
    width: width ?? get(v2, 'width'),
    height: height ?? get(v2, 'height'),
    loras: asList(get(data, 'lora')).map((lora) => ({
      name: get(asLoose(lora), 'model') ?? get(asLoose(lora), 'file'),
      weight: get(asLoose(lora), 'weight'),
    })),
  };
}

const OPEN = '<exif:UserComment';
const CLOSE = '</exif:UserComment>';

/** The UserComment in an XMP packet: a list of language alternatives with one entry. */
function inXmp(xmp: string | undefined): string | undefined {
  const start = xmp?.indexOf(OPEN) ?? -1;
  const end = xmp?.indexOf(CLOSE, start) ?? -1;
  if (xmp === undefined || start < 0 || end < 0) return undefined;
  const body = xmp.slice(start, end);
  const from = body.indexOf('{');
  const to = body.lastIndexOf('}');
  return from < 0 ? undefined : unescaped(body.slice(from, to + 1));
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function unescaped(text: string): string {
  return text.replace(/&(?:(lt|gt|amp|quot|apos)|#(\d{1,7})|#x([0-9a-fA-F]{1,6}));/g, (all, name, decimal, hex) => {
    if (name !== undefined) return ENTITIES[String(name)] ?? all;
    const code = decimal === undefined ? Number.parseInt(String(hex), 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : all;
  });
}
