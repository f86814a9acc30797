import { asObject, asArray, nonBlankText, withoutNulls } from '../answers/json-access.ts';
import { errorOf } from '../answers/answer-error.ts';
import { type AnswerOutput, type ProviderAnswer, bytesOf } from '../answers/answer.ts';
import { factsOfGraph } from '../answers/embedded-facts.ts';
import { findOutputs } from '../answers/find-outputs.ts';
import type { ProviderDescriptor } from './descriptor.ts';

/**
 * ComfyUI behind comfyui-api. What ComfyUI itself answers is in `../comfyui/`: only the service's own requests may name files of the
 * operator's ComfyUI.
 */
export const comfyui = {
  name: 'comfyui',
  parse,
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
 * Reads an answer or webhook of comfyui-api: `{id, prompt, images, filenames, stats}` with the graph as `prompt`. Older versions send
 * one webhook for each image.
 */
function parse(response: unknown): ProviderAnswer {
  const body = asObject(response);
  const type = nonBlankText(body['type']);
  const single = nonBlankText(body['image']);
  const names = asArray(body['filenames']).map((name) => nonBlankText(name));
  const images = single === undefined ? asArray(body['images']).map((image) => nonBlankText(image)) : [single];
  const error = errorOf(body['error'], body);
  const known = images.flatMap((image, index): AnswerOutput[] =>
    image === undefined ? [] : [{ from: [bytesOf(image)], filename: nonBlankText(body['filename']) ?? names[index] }],
  );
  const outputs = known.length > 0 || error || type === 'prompt.failed' ? known : findOutputs(body);
  const facts = factsOfGraph(body['prompt']);
  const failed = type === 'prompt.failed' || (error !== undefined && outputs.length === 0);
  return {
    id: nonBlankText(body['id']),
    // `output.complete` is about one image of several; a separate webhook ends the job.
    state: failed ? 'failed' : body['event'] === 'output.complete' ? 'running' : 'succeeded',
    error: failed ? (error ?? { message: 'the workflow failed' }) : error,
    outputs,
    prompt: facts.prompt ?? nonBlankText(body['prompt']),
    model: facts.model,
    generation: withoutNulls({ ...facts.generation, timings: body['stats'], timestamp: body['timestamp'] }),
  };
}
