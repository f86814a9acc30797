import type { JsonObject } from '../../json/json.ts';
import { errorOf } from './answer-error.ts';
import { type ProviderAnswer, asArray, asObject, asText, present } from './answer.ts';
import { type EmbeddedFacts, factsOfInfotext } from './embedded-facts.ts';

/** AUTOMATIC1111's txt2img and img2img, Forge's too; a grid of all pictures may stand before them. A best effort. */
export function automatic1111Answer(response: unknown): ProviderAnswer {
  const body = asObject(response);
  const parameters = asObject(body['parameters']);
  const info = parse(body['info']);
  const texts = asArray(info['infotexts']).map((text) => asText(text));
  const seeds = asArray(info['all_seeds']);
  const images = asArray(body['images']).flatMap((image) => asText(image) ?? []);
  const grids = gridsBefore(info, images.length, seeds.length);
  const facts = images.map((_image, index) => factsOfInfotext(texts[index]));
  const first = facts[grids] ?? facts[0];
  // `{error: 'OutOfMemoryError', errors: 'CUDA …'}`: the name, and what it said.
  const said = errorOf(body['error'], body);
  const error =
    (said && { ...said, message: asText(body['errors']) ?? said.message }) ??
    (images.length === 0 ? (errorOf(body['detail']) ?? { message: 'no image came' }) : undefined);
  return {
    state: images.length === 0 ? 'failed' : 'succeeded',
    error,
    outputs: images.map((data, index) => ({
      from: [{ type: 'base64', data }],
      generation: present({
        ...factsAlone(facts[index]),
        // A grid has the text of its first picture, but is of no single seed.
        seed: index < grids ? undefined : (seeds[index - grids] ?? facts[index]?.generation['seed']),
        grid: index < grids ? true : undefined,
        infotext: texts[index],
      }),
    })),
    prompt: asText(info['prompt']) ?? asText(parameters['prompt']) ?? first?.prompt,
    model:
      asText(info['sd_model_name']) ??
      asText(asObject(parameters['override_settings'])['sd_model_checkpoint']) ??
      first?.model,
    size: first?.size,
    generation: present({
      // With a grid among them, each picture has its own alone.
      seed: grids > 0 ? undefined : (info['seed'] ?? parameters['seed']),
      negativePrompt: info['negative_prompt'] ?? parameters['negative_prompt'],
      steps: info['steps'] ?? parameters['steps'],
      sampler: info['sampler_name'] ?? parameters['sampler_name'],
      cfgScale: info['cfg_scale'] ?? parameters['cfg_scale'],
      modelHash: info['sd_model_hash'],
    }),
  };
}

/** How many grids stand before the pictures. */
function gridsBefore(info: JsonObject, images: number, seeds: number): number {
  const first = info['index_of_first_image'];
  if (typeof first === 'number' && Number.isInteger(first) && first >= 0 && first < images) return first;
  return seeds > 0 && images === seeds + 1 ? 1 : 0;
}

function factsAlone(facts: EmbeddedFacts | undefined): JsonObject {
  return present({ ...facts?.generation, model: facts?.model });
}

/** Characters: it repeats the settings for each picture. The structure of a body is bounded, that of JSON inside of its texts is not. */
const MAX_INFO = 1024 * 1024;

/** `info` is JSON in a text. */
function parse(info: unknown): JsonObject {
  if (typeof info !== 'string') return asObject(info);
  if (info.length > MAX_INFO) return {};
  try {
    return asObject(JSON.parse(info));
  } catch {
    return {};
  }
}
