import type { JsonObject } from '../../json/json.ts';
import type { KnownOutputs } from '../answers/answer-description.ts';
import { asObject, nonBlankText } from '../answers/json-access.ts';
import { readerOf } from '../answers/read-answer.ts';
import type { ProviderDescriptor } from '../description/provider-descriptor.ts';

/** Stability, and the image models of Amazon Bedrock. */
export const stability = {
  name: 'stability',
  parse: readerOf({
    stateless: 'failed',
    errors: ['errors', 'error', 'message'],
    known: folderOf,
    facts: { finishReason: ['finish_reason'], modelId: ['modelId'] },
  }),
  imports: true,
  bestEffort: true,
  webhooks: [],
} as const satisfies ProviderDescriptor;

/** A job of Nova Reel names the folder in which its video lies. */
function folderOf(body: JsonObject): KnownOutputs {
  const folder = nonBlankText(asObject(asObject(body['outputDataConfig'])['s3OutputDataConfig'])['s3Uri']);
  if (folder === undefined || body['status'] !== 'Completed') return { outputs: [], fields: [] };
  const path = `${folder.endsWith('/') ? folder.slice(0, -1) : folder}/output.mp4`;
  return { outputs: [{ from: [{ type: 'object', path }] }], fields: ['outputDataConfig'] };
}
