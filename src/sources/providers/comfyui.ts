import type { JsonObject } from '../../json/json.ts';
import type { KnownOutputs } from '../answers/answer-description.ts';
import { errorOf } from '../answers/answer-error.ts';
import { type AnswerOutput, bytesOf } from '../answers/answer.ts';
import { factsOfGraph } from '../answers/embedded-facts.ts';
import { asArray, nonBlankText, withoutNulls } from '../answers/json-access.ts';
import { mediaIn } from '../answers/media-text.ts';
import { readerOf } from '../answers/read-answer.ts';
import type { ProviderDescriptor } from '../description/provider-descriptor.ts';

/**
 * ComfyUI behind comfyui-api. What ComfyUI itself answers is in `../comfyui/`: only the service's own requests may name files of the
 * operator's ComfyUI.
 */
export const comfyui = {
  name: 'comfyui',
  parse: readerOf({
    id: ['id', 'prompt_id'],
    state: ['status'],
    // A job that is being canceled may still end. `ok` says that a request was taken, whose images a webhook will bring.
    states: { canceling: 'running', expired: 'failed', ok: 'running' },
    stateless: 'succeeded',
    known: imagesOf,
    read,
    error: (body) =>
      errorOf(body['error'], body) ??
      (body['type'] === 'prompt.failed' ? { message: 'the workflow failed' } : undefined),
  }),
  imports: true,
  webhooks: [
    {
      name: 'comfyui-api',
      secret: {
        name: 'WEBHOOK_SECRET_COMFYUI_API',
        description: 'Signing key of comfyui-api webhooks; its older versions bear it as `?secret=`.',
      },
      proof: { type: 'signature-or-url-secret' },
    },
  ],
} as const satisfies ProviderDescriptor;

/**
 * The images of comfyui-api: `{id, prompt, images, filenames, stats}` with the graph as `prompt`. Older versions send one webhook for each
 * image.
 */
function imagesOf(body: JsonObject): KnownOutputs {
  const single = nonBlankText(body['image']);
  const names = asArray(body['filenames']).map((name) => nonBlankText(name));
  const images = single === undefined ? asArray(body['images']).map((image) => nonBlankText(image)) : [single];
  const outputs = images.flatMap((image, index): AnswerOutput[] => {
    if (image === undefined) return [];
    const from = mediaIn(image, { name: 'image_base64' }) ?? bytesOf(image);
    return [{ from: [from], filename: nonBlankText(body['filename']) ?? names[index] }];
  });
  return { outputs, fields: ['prompt', ...(outputs.length > 0 ? ['image', 'images', 'filenames'] : [])] };
}

function read(body: JsonObject) {
  const facts = factsOfGraph(body['prompt']);
  return {
    ...facts,
    generation: withoutNulls({ ...facts.generation, timings: body['stats'], timestamp: body['timestamp'] }),
  };
}
