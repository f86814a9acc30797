import type { DialectReader } from './generation-data.ts';
import { asList, asLoose, get, parseObject } from './loose-json.ts';

/** Reads SwarmUI: JSON with `sui_image_params`, as the PNG text `parameters`, the EXIF comment, or EXIF's camera model in early versions. */
export const readSwarmui: DialectReader = (texts) => {
  for (const text of ['parameters', 'UserComment', 'Model', 'comment', 'COM'].map((name) => texts.get(name))) {
    const all = parseObject(text);
    const params = asLoose(get(all, 'sui_image_params'));
    if (!params) continue;
    const models = asList(get(all, 'sui_models')).map(asLoose);
    const weights = asList(get(params, 'loraweights'));
    return {
      source: 'swarmui',
      prompt: get(params, 'prompt'),
      negativePrompt: get(params, 'negativeprompt'),
      seed: get(params, 'seed'),
      steps: get(params, 'steps'),
      sampler: get(params, 'sampler'),
      scheduler: get(params, 'scheduler'),
      cfgScale: get(params, 'cfgscale'),
      model: get(params, 'model'),
      modelHash: get(
        models.find((model) => get(model, 'param') === 'model'),
        'hash',
      ),
      vae: get(params, 'vae'),
      width: get(params, 'width'),
      height: get(params, 'height'),
      loras: asList(get(params, 'loras')).map((name, index) => ({ name, weight: weights[index] })),
      version: get(params, 'swarm_version'),
    };
  }
  return undefined;
};
