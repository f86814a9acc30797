import { asObject, asArray, nonBlankText, withoutNulls } from '../answers/json-access.ts';
import type { JsonObject } from '../../json/json.ts';
import { errorOf } from '../answers/answer-error.ts';
import type { KnownOutputs } from '../answers/answer-description.ts';
import { readerOf } from '../answers/read-answer.ts';
import { type EmbeddedFacts, factsOfInfotext } from '../answers/embedded-facts.ts';
import type { ProviderDescriptor } from '../description/provider-descriptor.ts';

/** AUTOMATIC1111 and Forge. */
export const automatic1111 = {
  name: 'automatic1111',
  parse: readerOf({
    state: ['status'],
    stateless: 'failed',
    known: imagesOf,
    read,
    // `{error: 'OutOfMemoryError', errors: 'CUDA …'}`: the class and the message.
    error: ({ error, errors, detail, ...rest }) => {
      const said = errorOf(error, rest) ?? errorOf(detail);
      return said && { ...said, message: nonBlankText(errors) ?? nonBlankText(detail) ?? said.message };
    },
  }),
  imports: true,
  bestEffort: true,
  webhooks: [],
} as const satisfies ProviderDescriptor;

/** The images of txt2img and img2img. The first image may be a grid of all the others. */
function imagesOf(body: JsonObject): KnownOutputs {
  const { images, texts, seeds, grids, facts } = tellingOf(body);
  return {
    fields: ['images', 'parameters', 'info'],
    outputs: images.map((data, index) => ({
      from: [{ type: 'base64', data }],
      generation: withoutNulls({
        ...factsAlone(facts[index]),
        // A grid has the infotext of its first image, but no seed.
        seed: index < grids ? undefined : (seeds[index - grids] ?? facts[index]?.generation['seed']),
        grid: index < grids ? true : undefined,
        infotext: texts[index],
      }),
    })),
  };
}

function tellingOf(body: JsonObject) {
  const info = parseInfo(body['info']);
  const texts = asArray(info['infotexts']).map((text) => nonBlankText(text));
  const seeds = asArray(info['all_seeds']);
  const images = asArray(body['images']).flatMap((image) => {
    const data = nonBlankText(image) ?? nonBlankText(asObject(image)['image'] ?? asObject(image)['data']);
    return data ?? [];
  });
  const grids = gridsBefore(info, images.length, seeds.length);
  const facts = images.map((_image, index) => factsOfInfotext(texts[index]));
  return { info, texts, seeds, images, grids, facts };
}

function read(body: JsonObject) {
  const parameters = asObject(body['parameters']);
  const { info, grids, facts } = tellingOf(body);
  const first = facts[grids] ?? facts[0];
  const prompt = nonBlankText(info['prompt']) ?? nonBlankText(parameters['prompt']) ?? first?.prompt;
  const model =
    nonBlankText(info['sd_model_name']) ??
    nonBlankText(asObject(parameters['override_settings'])['sd_model_checkpoint']) ??
    first?.model;
  return {
    ...(prompt !== undefined && { prompt }),
    ...(model !== undefined && { model }),
    ...(first?.size !== undefined && { size: first.size }),
    generation: withoutNulls({
      // With a grid, only the images themselves have a seed.
      seed: grids > 0 ? undefined : (info['seed'] ?? parameters['seed']),
      negativePrompt: info['negative_prompt'] ?? parameters['negative_prompt'],
      steps: info['steps'] ?? parameters['steps'],
      sampler: info['sampler_name'] ?? parameters['sampler_name'],
      cfgScale: info['cfg_scale'] ?? parameters['cfg_scale'],
      modelHash: info['sd_model_hash'],
    }),
  };
}

/** How many of the first images are grids. */
function gridsBefore(info: JsonObject, images: number, seeds: number): number {
  const first = info['index_of_first_image'];
  if (typeof first === 'number' && Number.isInteger(first) && first >= 0 && first < images) return first;
  return seeds > 0 && images === seeds + 1 ? 1 : 0;
}

function factsAlone(facts: EmbeddedFacts | undefined): JsonObject {
  return withoutNulls({ ...facts?.generation, model: facts?.model });
}

/** In characters; `info` repeats the settings for each image. The limits on a body's structure do not cover JSON inside its strings. */
const MAX_INFO = 1024 * 1024;

/** `info` is JSON in a string. */
function parseInfo(info: unknown): JsonObject {
  if (typeof info !== 'string') return asObject(info);
  if (info.length > MAX_INFO) return {};
  try {
    return asObject(JSON.parse(info));
  } catch {
    return {};
  }
}
