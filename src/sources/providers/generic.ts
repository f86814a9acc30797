import { asObject, asArray, nonBlankText, withoutNulls } from '../answers/json-access.ts';
import type { Json } from '../../json/json.ts';
import { errorOf } from '../answers/answer-error.ts';
import {
  type AnswerOutput,
  type AnswerState,
  type OutputBytes,
  type ProviderAnswer,
  bytesOf,
  progressOf,
} from '../answers/answer.ts';
import { findOutputs } from '../answers/find-outputs.ts';
import type { ProviderDescriptor } from './descriptor.ts';

/** The service's own form, for back ends that can choose what they send. */
export const generic = {
  name: 'generic',
  parse,
  imports: false,
  webhooks: [
    {
      name: 'generic',
      secret: {
        name: 'WEBHOOK_SECRET_GENERIC',
        description: 'Signing key of webhooks in our own form (Standard Webhooks).',
      },
      proof: { type: 'signature' },
    },
  ],
} as const satisfies ProviderDescriptor;

const STATES: readonly AnswerState[] = ['queued', 'running', 'succeeded', 'failed', 'canceled'];
/** Other names of these states. */
const SYNONYMS: ReadonlyMap<string, AnswerState> = new Map([
  ['pending', 'queued'],
  ['in_progress', 'running'],
  ['processing', 'running'],
  ['completed', 'succeeded'],
  ['success', 'succeeded'],
  ['error', 'failed'],
  ['cancelled', 'canceled'],
]);
/** Fields that list outputs; `outputs` is the documented one. */
const LISTS = ['outputs', 'images', 'videos', 'audio', 'files'];

/**
 * Reads the service's own form:
 * `{jobId, status, progress?, error?, prompt?, model?, generation?, outputs: [{url | data | path, filename?, contentType?, generation?}]}`
 */
function parse(response: unknown): ProviderAnswer {
  const body = asObject(response);
  const listed = new Map(
    LISTS.flatMap((name) => asArray(body[name]).flatMap((entry) => outputOf(entry))).map((output) => [
      JSON.stringify(output.from),
      output,
    ]),
  );
  const error = errorOf(body['error'], body);
  const word = nonBlankText(body['status'])?.toLowerCase();
  const said = STATES.find((name) => name === word) ?? SYNONYMS.get(word ?? '');
  const outputs =
    listed.size > 0 || said !== 'succeeded' ? [...listed.values()] : findOutputs(body, [body['input'] ?? null]);
  const state = said ?? (error ? 'failed' : outputs.length > 0 ? 'succeeded' : 'running');
  return {
    id: nonBlankText(body['jobId']) ?? nonBlankText(body['id']),
    state,
    progress: progressOf(body['progress']),
    error,
    outputs,
    prompt: nonBlankText(body['prompt']),
    model: nonBlankText(body['model']),
    size: nonBlankText(body['size']),
    quality: nonBlankText(body['quality']),
    generation: withoutNulls({ ...asObject(body['generation']), timings: body['timings'] }),
  };
}

function outputOf(entry: Json): AnswerOutput[] {
  const text = nonBlankText(entry);
  if (text !== undefined) return [{ from: [bytesOf(text)] }];
  const output = asObject(entry);
  const path = nonBlankText(output['path']) ?? nonBlankText(output['key']);
  const data = nonBlankText(output['data']);
  const url = nonBlankText(output['url']);
  const from: OutputBytes[] = [];
  if (path !== undefined) from.push({ type: 'object', path });
  if (data !== undefined) from.push(bytesOf(data));
  if (url !== undefined) from.push(bytesOf(url));
  if (from.length === 0) return [];
  return [
    {
      from,
      filename: nonBlankText(output['filename']),
      subfolder: nonBlankText(output['subfolder']),
      contentType: nonBlankText(output['contentType']),
      generation: asObject(output['generation']),
    },
  ];
}
