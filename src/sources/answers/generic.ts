import type { Json } from '../../json/json.ts';
import { errorOf } from './answer-error.ts';
import {
  type AnswerOutput,
  type AnswerState,
  type OutputBytes,
  type ProviderAnswer,
  asArray,
  asObject,
  asText,
  bytesOf,
  present,
  progressOf,
} from './answer.ts';
import { findOutputs } from './find-outputs.ts';

const STATES: readonly AnswerState[] = ['queued', 'running', 'succeeded', 'failed', 'canceled'];
/** What others call these. */
const SYNONYMS: ReadonlyMap<string, AnswerState> = new Map([
  ['pending', 'queued'],
  ['in_progress', 'running'],
  ['processing', 'running'],
  ['completed', 'succeeded'],
  ['success', 'succeeded'],
  ['error', 'failed'],
  ['cancelled', 'canceled'],
]);
/** Where outputs stand; the first is our own. */
const LISTS = ['outputs', 'images', 'videos', 'audio', 'files'];

/**
 * Our own form, for back ends that can choose what they send:
 * `{jobId, status, progress?, error?, prompt?, model?, generation?, outputs: [{url | data | path, filename?, contentType?, generation?}]}`
 */
export function genericAnswer(response: unknown): ProviderAnswer {
  const body = asObject(response);
  const listed = new Map(
    LISTS.flatMap((name) => asArray(body[name]).flatMap((entry) => outputOf(entry))).map((output) => [
      JSON.stringify(output.from),
      output,
    ]),
  );
  const error = errorOf(body['error'], body);
  const word = asText(body['status'])?.toLowerCase();
  const said = STATES.find((name) => name === word) ?? SYNONYMS.get(word ?? '');
  const outputs =
    listed.size > 0 || said !== 'succeeded' ? [...listed.values()] : findOutputs(body, [body['input'] ?? null]);
  const state = said ?? (error ? 'failed' : outputs.length > 0 ? 'succeeded' : 'running');
  return {
    id: asText(body['jobId']) ?? asText(body['id']),
    state,
    progress: progressOf(body['progress']),
    error,
    outputs,
    prompt: asText(body['prompt']),
    model: asText(body['model']),
    size: asText(body['size']),
    quality: asText(body['quality']),
    generation: present({ ...asObject(body['generation']), timings: body['timings'] }),
  };
}

function outputOf(entry: Json): AnswerOutput[] {
  const text = asText(entry);
  if (text !== undefined) return [{ from: [bytesOf(text)] }];
  const output = asObject(entry);
  const path = asText(output['path']) ?? asText(output['key']);
  const data = asText(output['data']);
  const url = asText(output['url']);
  const from: OutputBytes[] = [];
  if (path !== undefined) from.push({ type: 'object', path });
  if (data !== undefined) from.push(bytesOf(data));
  if (url !== undefined) from.push(bytesOf(url));
  if (from.length === 0) return [];
  return [
    {
      from,
      filename: asText(output['filename']),
      subfolder: asText(output['subfolder']),
      contentType: asText(output['contentType']),
      generation: asObject(output['generation']),
    },
  ];
}
